/* What the code of a malicious module can do from inside a worker. Included by
 * faulty.c. An attack returns 0 if it got through, NO_ANSWER, or an errno. */
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { NO_ANSWER = 1 << 16 };

static int errno_of(long result) { return result < 0 ? errno : 0; }

/* dial connects to the target and returns the descriptor, or -1. */
static int dial(int s)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(settings->target);

	if (s < 0)
		return -1;
	memcpy(to.sun_path, settings->target, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	return connect(s, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0 ? -1 : s;
}

static int ask(int s)
{
	static const char request[] = "GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	char answer[1];

	if (s < 0)
		return errno;
	if (send(s, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
		return NO_ANSWER;
	return read(s, answer, 1) == 1 ? 0 : NO_ANSWER;
}

static int ask_target(void) { return ask(dial(socket(AF_UNIX, SOCK_STREAM, 0))); }

/* in_orphan runs attack in a grandchild after its parent has exited. */
static int in_orphan(int (*attack)(void))
{
	pid_t child = fork(), parent;

	if (child != 0) {
		waitpid(child, NULL, 0);
		return -1; /* the orphan sets the outcome */
	}
	parent = getpid();
	if (fork() == 0) {
		setsid();
		while (getppid() == parent)
			usleep(1000);
		__atomic_store_n(&settings->outcome, (uint64_t)attack(), __ATOMIC_SEQ_CST);
	}
	_exit(0);
}

/* connect_and_exit gets a connection whose maker is gone. */
static int connect_and_exit(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), status = 0;
	pid_t child;

	if (s < 0)
		return errno;
	child = fork();
	if (child == 0)
		_exit(dial(s) < 0 ? errno : 0);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : ask(s);
}

static int read_parent(void)
{
	char path[64], byte;
	FILE *f;
	int err;

	snprintf(path, sizeof path, "/proc/%d/environ", getppid());
	f = fopen(path, "r");
	if (f == NULL)
		return errno;
	err = fread(&byte, 1, 1, f) == 1 ? 0 : EIO;
	fclose(f);
	return err;
}

static int allocate(void)
{
	enum { CHUNK = 16 << 20, CHUNKS = 512 };
	static char *chunks[CHUNKS];
	int n, err = 0;

	for (n = 0; n < CHUNKS && err == 0; n++) {
		chunks[n] = malloc(CHUNK);
		if (chunks[n] == NULL)
			err = errno;
		else
			chunks[n][0] = 1;
	}
	while (n > 0)
		free(chunks[--n]);
	return err;
}

/* old_abi runs in a child: a kernel without 32-bit programs kills it. */
static int old_abi(void)
{
	int status = 0;
	pid_t child = fork();

	if (child != 0) {
		waitpid(child, &status, 0);
		return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
	}
#ifdef __x86_64__
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(359L), "b"(2L), "c"(1L), "d"(0L) : "memory");
	_exit(result < 0 ? (int)-result : 0);
#endif
	_exit(ENOSYS);
}

static int datagram(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		return errno;
	return errno_of(dial(pair[0]));
}

static int ring(void)
{
	struct io_uring_params p = {0};
	return errno_of(syscall(__NR_io_uring_setup, 1, &p));
}

/* limit_parent leaves the parent no descriptors for new connections. */
static int limit_parent(void)
{
	struct rlimit none = {0};
	return errno_of(prlimit(getppid(), RLIMIT_NOFILE, &none, NULL));
}

static int perform(uint64_t which)
{
	switch (which) {
	case 1: return ask_target();
	case 2: return in_orphan(ask_target);
	case 3: return connect_and_exit();
	case 4: return errno_of(kill(getppid(), 0));
	case 5: return errno_of(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
	case 6: return read_parent();
	case 7: return allocate();
	case 8: return errno_of(socket(AF_INET, SOCK_STREAM, 0));
	case 9: return errno_of(unshare(CLONE_NEWUSER));
	case 10: return old_abi();
	case 11: return datagram();
	case 12: return errno_of(setuid(0));
	case 13: return ring();
	case 14: return errno_of(open(settings->target, O_CREAT | O_WRONLY, 0600));
	case 15: return errno_of(chmod(settings->target, 0777));
	case 16: return limit_parent();
	}
	return EINVAL;
}

static void attack(void)
{
	uint64_t which = __atomic_exchange_n(&settings->attack, 0, __ATOMIC_SEQ_CST);
	int outcome = which == 0 ? -1 : perform(which);

	if (outcome >= 0)
		__atomic_store_n(&settings->outcome, (uint64_t)outcome, __ATOMIC_SEQ_CST);
}
