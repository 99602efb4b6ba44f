#!/bin/sh
# Makes a directory the root of this process and runs a command there as a user
# who logs in. test.sh calls it in new namespaces: a plain chroot has neither
# terminals nor mounts of its own, and the tests need both.
#
#   enter.sh ROOT GOROOT USER VARIABLE[,VARIABLE...] COMMAND
set -eu
root=$1 goroot=$2 user=$3 variables=$4 command=$5

mount --bind "$root" "$root" # pivot_root wants a mount
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%:*}" "$root/dev/${stream#*:}"; done
mount --bind "$goroot" "$root/usr/local/go"
mount -o remount,bind,ro "$root/usr/local/go"
echo fresh >/proc/sys/kernel/hostname

cd "$root"
mkdir -p old
pivot_root . old
cd /
umount -l /old

# Not exec: as process 1 the shell reaps what the tests leave behind.
runuser --login "$user" --whitelist-environment "$variables" --command "$command"
