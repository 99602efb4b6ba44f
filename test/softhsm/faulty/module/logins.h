/* Logins as other tokens have them. Included by faulty.c, after real, settings and
 * get. The PIN that a person enters on the pad, or that another process logged in
 * with, is in the file named by FAULTY_PIN. */

enum {
	LOGIN_PAD = 1,  /* a null PIN is entered on the token's pad; any other is refused */
	LOGIN_NONE = 2, /* the token needs no login, and every C_Login fails */
	LOGIN_SHARED = 3, /* another process has logged in: every PIN gets the same answer */
};

/* enter_pin logs in with the PIN from the file. */
static CK_RV enter_pin(session s)
{
	char pin[256];
	const char *path = getenv("FAULTY_PIN");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, pin, sizeof pin);

	if (fd >= 0)
		close(fd);
	while (n > 0 && pin[n - 1] == '\n')
		n--;
	return n <= 0 ? CKR_GENERAL_ERROR : real.C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)pin, (CK_ULONG)n);
}

static CK_RV login(session s, CK_USER_TYPE u, CK_UTF8CHAR_PTR pin, CK_ULONG n)
{
	CK_RV rv;

	switch (get(&settings->login)) {
	case LOGIN_PAD:
		return pin == NULL && n == 0 ? enter_pin(s) : CKR_ARGUMENTS_BAD;
	case LOGIN_NONE:
		return CKR_FUNCTION_FAILED;
	case LOGIN_SHARED:
		rv = enter_pin(s);
		return rv == CKR_OK ? CKR_USER_ALREADY_LOGGED_IN : rv;
	}
	return real.C_Login(s, u, pin, n);
}

static void login_flags(CK_TOKEN_INFO_PTR info)
{
	switch (get(&settings->login)) {
	case LOGIN_PAD:
		info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
		break;
	case LOGIN_NONE:
		info->flags &= ~(CK_FLAGS)(CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED);
	}
}
