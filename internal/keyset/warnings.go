package keyset

import "time"

const (
	// warnAhead is how long before a version is due people are reminded to make
	// it.
	warnAhead = 7 * 24 * time.Hour
	// warnInterval is how often a warning is repeated.
	warnInterval = 24 * time.Hour
)

// mayWarn reports whether a warning may be given, at most once per interval.
func (r *Rotator) mayWarn(warning string, interval time.Duration) bool {
	now := r.now()
	if last, given := r.lastWarned[warning]; given && now.Sub(last) < interval && !now.Before(last) {
		return false
	}
	r.lastWarned[warning] = now
	return true
}

// warnLost raises the alarm for lost keys, at once and then every day.
func (r *Rotator) warnLost(plan Plan) {
	if r.mayWarn("lost "+plan.Name, warnInterval) {
		r.logger.Error("a published key version has vanished from its token, though the token answers; assertd generates nothing in its place: "+
			"find out who destroyed it, restore the token from its backup, or list the kid under rotation.revoke and reload",
			"key", plan.Name, "kids", plan.Lost)
	}
}

// warnDue reminds people ahead of time to make the next version.
func (r *Rotator) warnDue(plan Plan) {
	every := r.every(plan.Name)
	left := plan.DueAt.Sub(r.now())
	if left > min(warnAhead, every/4) || !r.mayWarn("due "+plan.Name, min(warnInterval, every/4)) {
		return
	}
	message := "the next version of a key set is due soon; run the command"
	if left < 0 {
		message = "the next version of a key set is overdue, and the current one keeps signing; run the command"
	}
	r.logger.Warn(message, "key", plan.Name, "due", stamp(plan.DueAt), "command", "assertd key generate "+plan.Name)
}

func (r *Rotator) warnStillDue(set string) {
	if r.mayWarn("still due "+set, warnInterval) {
		r.logger.Error("a version was made but the next one is still due; compare this machine's clock with the others and run assertd key list", "key", set)
	}
}

func (r *Rotator) warnFailed(plan Plan, err error) {
	if r.mayWarn("failed "+plan.Name, time.Hour) {
		r.logger.Error("could not generate the next version of a key set; the current one keeps signing, and the daemon will try again",
			"key", plan.Name, "due", stamp(plan.DueAt), "error", err, "command", "assertd key generate "+plan.Name)
	}
}

// warnHeld says why no version is made although one is due.
func (r *Rotator) warnHeld(plan Plan, refused error) {
	if r.mayWarn("held "+plan.Name, warnInterval) {
		r.logger.Error("the next version of a key set is overdue, and its newest key pair can't be used; fix that pair or list its kid under rotation.revoke",
			"key", plan.Name, "due", stamp(plan.DueAt), "error", refused)
	}
}

// warnRefused reports the key pairs that are left out of a set, at once and
// then every day. Callers of a set that still signs notice nothing.
func (r *Rotator) warnRefused(plan Plan) {
	for _, reason := range plan.Refused {
		if !r.mayWarn("refused "+plan.Name+" "+reason, warnInterval) {
			continue
		}
		if plan.Signing == "" {
			r.logger.Error("a key pair is not used, and its key set can't sign; other key sets are not affected", "key", plan.Name, "reason", reason)
		} else {
			r.logger.Warn("a key pair is not used; its key set signs with another version", "key", plan.Name, "reason", reason)
		}
	}
}

func (r *Rotator) warnCertificates() {
	for _, err := range r.keys.Ring().Certificates(warnAhead) {
		if r.mayWarn(err.Error(), warnInterval) {
			r.logger.Warn("a published certificate needs renewal", "error", err)
		}
	}
}

// warnVersions reports versions that can't sign as the schedule has it, at once
// and then every day.
func (r *Rotator) warnVersions(plan Plan) {
	for _, v := range plan.Versions {
		switch {
		case v.Uncertified && r.mayWarn("uncertified "+v.Kid, warnInterval):
			r.logger.Warn("a key version needs a certificate; until it has one, the previous version keeps signing if that has one", "key", plan.Name, "kid", v.Kid,
				"command", "assertd key csr "+v.Kid)
		case v.Held && r.mayWarn("held "+v.Kid, warnInterval):
			r.logger.Warn("by the schedule a retired key version would sign again; it is held back because receivers no longer have it; if no other version of the key set signs, generate one",
				"key", plan.Name, "kid", v.Kid)
		}
	}
}

// every is how often the set rotates; the times of its warnings are in
// proportion.
func (r *Rotator) every(name string) time.Duration { return r.keys.Ring().Set(name).Rotation.Every }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
