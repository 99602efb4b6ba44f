/* Traits: what the keys and calls of other providers' modules look like. Included by
 * faulty.c, after real, settings and get. Package faulty names the bits. */

enum {
	TRAIT_DERIVE_TRUE = 1 << 0,   /* EC and Edwards private keys report CKA_DERIVE true */
	TRAIT_DECRYPT_TRUE = 1 << 1,  /* RSA private keys report CKA_DECRYPT true */
	TRAIT_LOCAL_FALSE = 1 << 2,   /* keys report CKA_LOCAL false */
	TRAIT_PRIVATE_FALSE = 1 << 3, /* keys report CKA_PRIVATE false */
	TRAIT_NO_RECOVER = 1 << 4,    /* CKA_SIGN_RECOVER and CKA_VERIFY_RECOVER are unknown */
	TRAIT_LABEL_IS_ID = 1 << 5,   /* a key's CKA_LABEL is its CKA_ID */
	TRAIT_NO_COPY = 1 << 6,       /* there is no C_CopyObject */
	TRAIT_NO_GENERATE = 1 << 7,   /* C_GenerateKeyPair refuses a public template */
	TRAIT_NO_READ_ONLY = 1 << 8,  /* all sessions are read-write */
	TRAIT_TIES_VERIFY = 1 << 9,   /* C_GenerateKeyPair refuses CKA_VERIFY and CKA_ENCRYPT */
	TRAIT_NAMED_CURVE = 1 << 10,  /* C_GenerateKeyPair takes edwards25519 by its name, not by its OID */
};

static int has_trait(uint64_t trait) { return (get(&settings->traits) & trait) != 0; }

/* be_named gives the module the provider's names, if the settings have any. */
static void be_named(CK_INFO_PTR info)
{
	if (settings->manufacturer[0] != 0) {
		memcpy(info->manufacturerID, settings->manufacturer, sizeof info->manufacturerID);
		memcpy(info->libraryDescription, settings->library, sizeof info->libraryDescription);
	}
}

static CK_RV get_info(CK_INFO_PTR info)
{
	CK_RV rv = real.C_GetInfo(info);
	if (rv == CKR_OK)
		be_named(info);
	return rv;
}

static CK_RV open_session(CK_SLOT_ID id, CK_FLAGS flags, CK_VOID_PTR app, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR s)
{
	if (has_trait(TRAIT_NO_READ_ONLY) && (flags & CKF_RW_SESSION) == 0)
		return CKR_FUNCTION_FAILED;
	CK_RV rv = real.C_OpenSession(id, flags, app, notify, s);
	if (rv == CKR_OK && get(&settings->login) == LOGIN_NONE)
		(void)enter_pin(*s); /* a token that needs no login shows its keys to all */
	return rv;
}

static int is_recover(CK_ATTRIBUTE_TYPE type) { return type == CKA_SIGN_RECOVER || type == CKA_VERIFY_RECOVER; }

static int has_recover(CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (is_recover(t[i].type))
			return 1;
	return 0;
}

static int has_attribute(CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == type)
			return 1;
	return 0;
}

/* rename_curve replaces the curve's name by its OID, which the real module takes. It
 * returns 0 if the template has the OID already. */
static int rename_curve(CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
	static unsigned char oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};

	for (CK_ULONG i = 0; i < n; i++) {
		if (t[i].type != CKA_EC_PARAMS)
			continue;
		if (t[i].ulValueLen == sizeof oid && memcmp(t[i].pValue, oid, sizeof oid) == 0)
			return 0;
		if (t[i].ulValueLen == 14 && memcmp(t[i].pValue, "\x13\x0c" "edwards25519", 14) == 0) {
			t[i].pValue = oid;
			t[i].ulValueLen = sizeof oid;
		}
	}
	return 1;
}

/* generate_pair refuses the templates that the provider's module would. */
static CK_RV generate_pair(session s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR pub, CK_ULONG npub, CK_ATTRIBUTE_PTR priv, CK_ULONG npriv,
			   CK_OBJECT_HANDLE_PTR hpub, CK_OBJECT_HANDLE_PTR hpriv)
{
	CK_ATTRIBUTE changed[32];

	if (npub > 32 || (has_trait(TRAIT_NO_GENERATE) && npub > 0))
		return CKR_ARGUMENTS_BAD;
	if (has_trait(TRAIT_NO_RECOVER) && (has_recover(pub, npub) || has_recover(priv, npriv)))
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (has_trait(TRAIT_TIES_VERIFY) && (has_attribute(pub, npub, CKA_VERIFY) || has_attribute(pub, npub, CKA_ENCRYPT)))
		return CKR_GENERAL_ERROR;
	memcpy(changed, pub, npub * sizeof *pub);
	if (has_trait(TRAIT_NAMED_CURVE) && !rename_curve(changed, npub))
		return CKR_DOMAIN_PARAMS_INVALID;
	return real.C_GenerateKeyPair(s, m, changed, npub, priv, npriv, hpub, hpriv);
}

/* ulong_of reads an attribute of an object as a CK_ULONG. */
static CK_ULONG ulong_of(session s, object o, CK_ATTRIBUTE_TYPE type)
{
	CK_ULONG value = (CK_ULONG)-1;
	CK_ATTRIBUTE a = {type, &value, sizeof value};
	return real.C_GetAttributeValue(s, o, &a, 1) == CKR_OK ? value : (CK_ULONG)-1;
}

/* pretends reports whether a private key's boolean is not what the real module says. */
static int pretends(CK_ULONG kind, CK_ATTRIBUTE_TYPE type, CK_BBOOL *value)
{
	switch (type) {
	case CKA_DERIVE:
		*value = CK_TRUE;
		return has_trait(TRAIT_DERIVE_TRUE) && kind != CKK_RSA;
	case CKA_DECRYPT:
		*value = CK_TRUE;
		return has_trait(TRAIT_DECRYPT_TRUE) && kind == CKK_RSA;
	case CKA_LOCAL:
		*value = CK_FALSE;
		return has_trait(TRAIT_LOCAL_FALSE);
	case CKA_PRIVATE:
		*value = CK_FALSE;
		return has_trait(TRAIT_PRIVATE_FALSE);
	}
	return 0;
}

/* get_attributes answers as the provider's module would. */
static CK_RV get_attributes(session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
	CK_BBOOL value;

	for (CK_ULONG i = 0; has_trait(TRAIT_NO_RECOVER) && i < n; i++)
		if (is_recover(t[i].type)) {
			t[i].ulValueLen = (CK_ULONG)-1;
			return CKR_ATTRIBUTE_TYPE_INVALID;
		}
	for (CK_ULONG i = 0; has_trait(TRAIT_LABEL_IS_ID) && i < n; i++)
		if (t[i].type == CKA_LABEL)
			t[i].type = CKA_ID;
	CK_RV rv = real.C_GetAttributeValue(s, o, t, n);
	if (rv != CKR_OK || ulong_of(s, o, CKA_CLASS) != CKO_PRIVATE_KEY)
		return rv;
	CK_ULONG kind = ulong_of(s, o, CKA_KEY_TYPE);
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].pValue != NULL && t[i].ulValueLen == 1 && pretends(kind, t[i].type, &value))
			*(CK_BBOOL *)t[i].pValue = value;
	return rv;
}

/* find_init searches by ID where the provider has labels that are IDs. */
static CK_RV find_init(session s, CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
	CK_ATTRIBUTE changed[32];

	if (!has_trait(TRAIT_LABEL_IS_ID) || n > 32)
		return real.C_FindObjectsInit(s, t, n);
	for (CK_ULONG i = 0; i < n; i++) {
		changed[i] = t[i];
		if (t[i].type == CKA_LABEL)
			changed[i].type = CKA_ID;
	}
	return real.C_FindObjectsInit(s, changed, n);
}
