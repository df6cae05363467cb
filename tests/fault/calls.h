/*
 * What src/ calls of others, one line each; no include guard, wrap.c reads it more than once, and device.sh by its names.
 *
 *	CALL(type, name, parameters, arguments, failure)	can fail: the wrapper calls it, or gives `failure`
 *	HAND(name)						the same, but the wrapper is written out in wrap.c
 *	TPM(name, parameters, arguments, failure)		a CALL that answers a TSS2_RC
 *	FRAIL(type, name, parameters, arguments, failure)	a CALL that fails itself, but inside of which nothing does
 *	TOKEN(name, parameters, arguments, failure)		a function in the table of a PKCS#11 module
 *	VENDOR(type, name, parameters, arguments, failure)	a function of a custom HSM's: vendor.c
 *	SURE(name)						cannot fail, for the reason above it
 */

/* memory */
HAND(malloc)
HAND(calloc)
HAND(realloc)
HAND(strdup)
HAND(strndup)
HAND(free)

/* files */
HAND(open)
HAND(close)
HAND(read)
HAND(write)
CALL(int, access, (const char *path, int how), (path, how), no(EACCES))
HAND(fsync)
HAND(rename)
CALL(int, stat, (const char *path, struct stat *st), (path, st), no(EIO))
HAND(__isoc99_fscanf)
CALL(FILE *, fopen, (const char *path, const char *how), (path, how), no_memory())
CALL(size_t, fread, (void *p, size_t each, size_t n, FILE *f), (p, each, n, f), 0)
HAND(memfd_create)
CALL(DIR *, opendir, (const char *path), (path), no_memory())
CALL(struct dirent *, readdir, (DIR * d), (d), NULL)
CALL(char *, realpath, (const char *path, char *to), (path, to), no_memory())
CALL(int, unlink, (const char *path), (path), no(EIO))

/* the network; wrap.c plays the kernel of the device */
HAND(socket)
HAND(connect)
HAND(getaddrinfo)
CALL(int, fcntl, (int fd, int what, long arg), (fd, what, arg), no(EINVAL))
CALL(int, getnameinfo,
    (const struct sockaddr *at, socklen_t n, char *host, socklen_t host_n, char *service, socklen_t service_n,
	int flags),
    (at, n, host, host_n, service, service_n, flags), EAI_MEMORY)
CALL(ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags), no(ECONNRESET))
CALL(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags), no(EPIPE))
CALL(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t n),
    (fd, level, option, value, n), no(ENOPROTOOPT))

/* waiting, threads, randomness */
HAND(clock_gettime)
HAND(epoll_create1)
HAND(epoll_ctl)
HAND(eventfd)
HAND(getrandom)
HAND(poll)
HAND(pthread_cond_signal)
HAND(pthread_cond_wait)
HAND(pthread_create)
HAND(pthread_mutex_lock)
HAND(pthread_mutex_unlock)
HAND(timerfd_create)
CALL(int, timerfd_settime, (int fd, int flags, const struct itimerspec *to, struct itimerspec *from),
    (fd, flags, to, from), no(ECANCELED))
CALL(int, atexit, (void (*f)(void)), (f), 1)
CALL(int, pthread_atfork, (void (*a)(void), void (*b)(void), void (*c)(void)), (a, b, c), ENOMEM)
CALL(int, setenv, (const char *name, const char *value, int over), (name, value, over), no(ENOMEM))

/* OpenSSL */
CALL(ASN1_INTEGER *, ASN1_INTEGER_new, (void), (), no_ssl_memory())
CALL(int, ASN1_INTEGER_set, (ASN1_INTEGER * a, long n), (a, n), no_ssl(0))
CALL(ASN1_STRING *, ASN1_item_pack, (void *o, const ASN1_ITEM *what, ASN1_OCTET_STRING **to), (o, what, to),
    no_ssl_memory())
CALL(long, BIO_ctrl, (BIO * b, int what, long n, void *p), (b, what, n, p), no_ssl(0))
CALL(int, BIO_get_new_index, (void), (), no_ssl(-1))
CALL(BIO_METHOD *, BIO_meth_new, (int type, const char *name), (type, name), no_ssl_memory())
CALL(BIO *, BIO_new, (const BIO_METHOD *m), (m), no_ssl_memory())
CALL(BIO *, BIO_new_fd, (int fd, int closes), (fd, closes), no_ssl_memory())
CALL(BIO *, BIO_new_mem_buf, (const void *p, int n), (p, n), no_ssl_memory())
CALL(int, BIO_write, (BIO * b, const void *p, int n), (b, p, n), no_ssl(-1))
CALL(BIGNUM *, BN_bin2bn, (const unsigned char *p, int n, BIGNUM *to), (p, n, to), no_ssl_memory())
CALL(BIGNUM *, BN_dup, (const BIGNUM *n), (n), no_ssl_memory())
CALL(BIGNUM *, BN_new, (void), (), no_ssl_memory())
CALL(int, BN_rand, (BIGNUM * n, int bits, int top, int bottom), (n, bits, top, bottom), no_ssl(0))
CALL(ASN1_INTEGER *, BN_to_ASN1_INTEGER, (const BIGNUM *n, ASN1_INTEGER *to), (n, to), no_ssl_memory())
CALL(int, CRYPTO_get_ex_new_index,
    (int of, long n, void *p, CRYPTO_EX_new *make, CRYPTO_EX_dup *dup, CRYPTO_EX_free *drop),
    (of, n, p, make, dup, drop), no_ssl(-1))
CALL(ECDSA_SIG *, ECDSA_SIG_new, (void), (), no_ssl_memory())
CALL(int, ECDSA_SIG_set0, (ECDSA_SIG * sig, BIGNUM *a, BIGNUM *b), (sig, a, b), no_ssl(0))
CALL(EC_KEY *, EC_KEY_new_method, (ENGINE * e), (e), no_ssl_memory())
CALL(int, EC_KEY_set_group, (EC_KEY * key, const EC_GROUP *group), (key, group), no_ssl(0))
CALL(int, EC_KEY_set_public_key, (EC_KEY * key, const EC_POINT *point), (key, point), no_ssl(0))
CALL(ENGINE *, ENGINE_by_id, (const char *id), (id), no_ssl_memory())
CALL(int, ENGINE_ctrl, (ENGINE * e, int c, long n, void *p, void (*f)(void)), (e, c, n, p, f), no_ssl(0))
CALL(int, ENGINE_ctrl_cmd_string, (ENGINE * e, const char *what, const char *value, int optional),
    (e, what, value, optional), no_ssl(0))
CALL(int, ENGINE_init, (ENGINE * e), (e), no_ssl(0))
CALL(EVP_PKEY *, ENGINE_load_private_key, (ENGINE * e, const char *id, UI_METHOD *ui, void *u),
    (e, id, ui, u), no_ssl_memory())
CALL(EVP_PKEY *, ENGINE_load_public_key, (ENGINE * e, const char *id, UI_METHOD *ui, void *u), (e, id, ui, u),
    no_ssl_memory())
CALL(int, EVP_Digest,
    (const void *p, size_t n, unsigned char *to, unsigned *to_n, const EVP_MD *md, ENGINE *e),
    (p, n, to, to_n, md, e), no_ssl(0))
CALL(int, EVP_DigestFinal_ex, (EVP_MD_CTX * c, unsigned char *to, unsigned *n), (c, to, n), no_ssl(0))
CALL(int, EVP_DigestInit_ex, (EVP_MD_CTX * c, const EVP_MD *md, ENGINE *e), (c, md, e), no_ssl(0))
CALL(int, EVP_DigestInit_ex2, (EVP_MD_CTX * c, const EVP_MD *md, const OSSL_PARAM *params), (c, md, params),
    no_ssl(0))
CALL(int, EVP_DigestSign, (EVP_MD_CTX * c, unsigned char *sig, size_t *len, const unsigned char *p, size_t n),
    (c, sig, len, p, n), no_ssl(0))
CALL(int, EVP_DigestSignInit,
    (EVP_MD_CTX * c, EVP_PKEY_CTX **inner, const EVP_MD *md, ENGINE *e, EVP_PKEY *key),
    (c, inner, md, e, key), no_ssl(0))
CALL(int, EVP_DigestSignInit_ex,
    (EVP_MD_CTX * c, EVP_PKEY_CTX **inner, const char *md, OSSL_LIB_CTX *l, const char *which, EVP_PKEY *key,
	const OSSL_PARAM *params),
    (c, inner, md, l, which, key, params), no_ssl(0))
CALL(int, EVP_DigestUpdate, (EVP_MD_CTX * c, const void *p, size_t n), (c, p, n), no_ssl(0))
CALL(int, EVP_DigestVerify,
    (EVP_MD_CTX * c, const unsigned char *sig, size_t len, const unsigned char *p, size_t n),
    (c, sig, len, p, n), no_ssl(-1))
CALL(int, EVP_DigestVerifyInit,
    (EVP_MD_CTX * c, EVP_PKEY_CTX **inner, const EVP_MD *md, ENGINE *e, EVP_PKEY *key),
    (c, inner, md, e, key), no_ssl(0))
CALL(int, EVP_DigestVerifyInit_ex,
    (EVP_MD_CTX * c, EVP_PKEY_CTX **inner, const char *md, OSSL_LIB_CTX *l, const char *which, EVP_PKEY *key,
	const OSSL_PARAM *params),
    (c, inner, md, l, which, key, params), no_ssl(0))
CALL(int, EVP_MD_CTX_copy_ex, (EVP_MD_CTX * to, const EVP_MD_CTX *from), (to, from), no_ssl(0))
CALL(EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), no_ssl_memory())
CALL(EVP_MD *, EVP_MD_fetch, (OSSL_LIB_CTX * l, const char *name, const char *which), (l, name, which),
    no_ssl_memory())
CALL(EVP_PKEY_CTX *, EVP_PKEY_CTX_new, (EVP_PKEY * key, ENGINE *e), (key, e), no_ssl_memory())
CALL(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, (OSSL_LIB_CTX * l, EVP_PKEY *key, const char *which),
    (l, key, which), no_ssl_memory())
CALL(int, EVP_PKEY_CTX_set_rsa_padding, (EVP_PKEY_CTX * c, int how), (c, how), no_ssl(-1))
CALL(int, EVP_PKEY_CTX_set_rsa_pss_saltlen, (EVP_PKEY_CTX * c, int n), (c, n), no_ssl(-1))
CALL(int, EVP_PKEY_CTX_set_signature_md, (EVP_PKEY_CTX * c, const EVP_MD *md), (c, md), no_ssl(-1))
HAND(EVP_PKEY_Q_keygen)
CALL(int, EVP_PKEY_assign, (EVP_PKEY * key, int type, void *inner), (key, type, inner), no_ssl(0))
CALL(int, EVP_PKEY_eq, (const EVP_PKEY *a, const EVP_PKEY *b), (a, b), no_ssl(-1))
CALL(const EC_KEY *, EVP_PKEY_get0_EC_KEY, (const EVP_PKEY *key), (key), no_ssl_memory())
CALL(const RSA *, EVP_PKEY_get0_RSA, (const EVP_PKEY *key), (key), no_ssl_memory())
CALL(int, EVP_PKEY_get_group_name, (const EVP_PKEY *key, char *to, size_t n, size_t *got), (key, to, n, got),
    no_ssl(0))
CALL(int, EVP_PKEY_get_int_param, (const EVP_PKEY *key, const char *what, int *n), (key, what, n), no_ssl(0))
CALL(int, EVP_PKEY_get_params, (const EVP_PKEY *key, OSSL_PARAM *params), (key, params), no_ssl(0))
CALL(int, EVP_PKEY_get_utf8_string_param,
    (const EVP_PKEY *key, const char *what, char *to, size_t n, size_t *got), (key, what, to, n, got),
    no_ssl(0))
CALL(EVP_PKEY *, EVP_PKEY_new, (void), (), no_ssl_memory())
CALL(int, EVP_PKEY_set_ex_data, (EVP_PKEY * key, int i, void *p), (key, i, p), no_ssl(0))
CALL(int, EVP_PKEY_sign,
    (EVP_PKEY_CTX * c, unsigned char *sig, size_t *len, const unsigned char *p, size_t n),
    (c, sig, len, p, n), no_ssl(-1))
CALL(int, EVP_PKEY_sign_init, (EVP_PKEY_CTX * c), (c), no_ssl(-1))
CALL(int, EVP_PKEY_todata, (const EVP_PKEY *key, int what, OSSL_PARAM **params), (key, what, params),
    no_ssl(0))
CALL(int, EVP_PKEY_verify,
    (EVP_PKEY_CTX * c, const unsigned char *sig, size_t len, const unsigned char *p, size_t n),
    (c, sig, len, p, n), no_ssl(-1))
CALL(int, EVP_PKEY_verify_init, (EVP_PKEY_CTX * c), (c), no_ssl(-1))
CALL(unsigned char *, HMAC,
    (const EVP_MD *md, const void *key, int key_n, const unsigned char *p, size_t n, unsigned char *to,
	unsigned *to_n),
    (md, key, key_n, p, n, to, to_n), no_ssl_memory())
CALL(int, OBJ_txt2nid, (const char *s), (s), no_ssl(0))
CALL(int, OPENSSL_init_crypto, (uint64_t what, const OPENSSL_INIT_SETTINGS *s), (what, s), no_ssl(0))
CALL(OPENSSL_STACK *, OPENSSL_sk_new_null, (void), (), no_ssl_memory())
CALL(int, OPENSSL_sk_push, (OPENSSL_STACK * s, const void *p), (s, p), no_ssl(0))
CALL(int, OPENSSL_sk_unshift, (OPENSSL_STACK * s, const void *p), (s, p), no_ssl(0))
HAND(OSSL_LIB_CTX_new)
CALL(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_new, (void), (), no_ssl_memory())
CALL(int, OSSL_PARAM_BLD_push_BN, (OSSL_PARAM_BLD * b, const char *key, const BIGNUM *n), (b, key, n),
    no_ssl(0))
CALL(int, OSSL_PARAM_BLD_push_octet_string, (OSSL_PARAM_BLD * b, const char *key, const void *p, size_t n),
    (b, key, p, n), no_ssl(0))
CALL(int, OSSL_PARAM_BLD_push_utf8_string, (OSSL_PARAM_BLD * b, const char *key, const char *s, size_t n),
    (b, key, s, n), no_ssl(0))
CALL(OSSL_PARAM *, OSSL_PARAM_BLD_to_param, (OSSL_PARAM_BLD * b), (b), no_ssl_memory())
CALL(int, OSSL_PROVIDER_add_builtin, (OSSL_LIB_CTX * l, const char *name, OSSL_provider_init_fn *f),
    (l, name, f), no_ssl(0))
/* OpenSSL 3.0 loses some of what it was making of a provider when memory runs out. */
FRAIL(OSSL_PROVIDER *, OSSL_PROVIDER_load, (OSSL_LIB_CTX * l, const char *name), (l, name), no_ssl_memory())
CALL(int, OSSL_PROVIDER_set_default_search_path, (OSSL_LIB_CTX * l, const char *path), (l, path), no_ssl(0))
CALL(EVP_PKEY *, OSSL_STORE_INFO_get1_PKEY, (const OSSL_STORE_INFO *i), (i), no_ssl_memory())
CALL(int, OSSL_STORE_expect, (OSSL_STORE_CTX * c, int what), (c, what), no_ssl(0))
CALL(int, PEM_read_bio, (BIO * b, char **kind, char **header, unsigned char **p, long *n),
    (b, kind, header, p, n), no_ssl(0))
CALL(EVP_PKEY *, PEM_read_bio_PUBKEY, (BIO * b, EVP_PKEY **key, pem_password_cb *cb, void *u),
    (b, key, cb, u), no_ssl_memory())
CALL(EVP_PKEY *, PEM_read_bio_PrivateKey, (BIO * b, EVP_PKEY **x, pem_password_cb *cb, void *u),
    (b, x, cb, u), no_ssl_memory())
CALL(X509 *, PEM_read_bio_X509, (BIO * b, X509 **x, pem_password_cb *cb, void *u), (b, x, cb, u),
    no_ssl_memory())
CALL(X509_REQ *, PEM_read_bio_X509_REQ, (BIO * b, X509_REQ **x, pem_password_cb *cb, void *u), (b, x, cb, u),
    no_ssl_memory())
CALL(int, PEM_write_bio, (BIO * b, const char *kind, const char *header, const unsigned char *p, long n),
    (b, kind, header, p, n), no_ssl(0))
CALL(int, PEM_write_bio_PUBKEY, (BIO * b, const EVP_PKEY *key), (b, key), no_ssl(0))
CALL(int, PEM_write_bio_X509, (BIO * b, const X509 *x), (b, x), no_ssl(0))
CALL(int, PEM_write_bio_X509_REQ, (BIO * b, const X509_REQ *x), (b, x), no_ssl(0))
CALL(int, RAND_bytes, (unsigned char *p, int n), (p, n), no_ssl(0))
CALL(RSA_PSS_PARAMS *, RSA_PSS_PARAMS_new, (void), (), no_ssl_memory())
CALL(RSA *, RSA_new_method, (ENGINE * e), (e), no_ssl_memory())
CALL(int, RSA_set0_key, (RSA * k, BIGNUM *n, BIGNUM *e, BIGNUM *d), (k, n, e, d), no_ssl(0))
HAND(SSL_CTX_ctrl)
CALL(int, SSL_CTX_load_verify_dir, (SSL_CTX * c, const char *dir), (c, dir), no_ssl(0))
CALL(int, SSL_CTX_load_verify_file, (SSL_CTX * c, const char *file), (c, file), no_ssl(0))
CALL(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *m), (m), no_ssl_memory())
CALL(int, SSL_CTX_set_session_id_context, (SSL_CTX * c, const unsigned char *id, unsigned n), (c, id, n),
    no_ssl(0))
CALL(int, SSL_CTX_use_PrivateKey, (SSL_CTX * c, EVP_PKEY *key), (c, key), no_ssl(0))
CALL(int, SSL_CTX_use_certificate, (SSL_CTX * c, X509 *x), (c, x), no_ssl(0))
CALL(long, SSL_ctrl, (SSL * s, int what, long n, void *p), (s, what, n, p), no_ssl(0))
CALL(int, SSL_do_handshake, (SSL * s), (s), no_ssl(-1))
CALL(SSL_SESSION *, SSL_SESSION_dup, (const SSL_SESSION *session), (session), no_ssl_memory())
CALL(X509 *, SSL_get1_peer_certificate, (const SSL *s), (s), no_ssl_memory())
CALL(SSL *, SSL_new, (SSL_CTX * c), (c), no_ssl_memory())
CALL(int, SSL_read_ex, (SSL * s, void *p, size_t n, size_t *got), (s, p, n, got), no_ssl(0))
CALL(int, SSL_set1_host, (SSL * s, const char *host), (s, host), no_ssl(0))
CALL(int, SSL_set_session, (SSL * s, SSL_SESSION *session), (s, session), no_ssl(0))
CALL(int, SSL_shutdown, (SSL * s), (s), no_ssl(-1))
CALL(int, SSL_write_ex, (SSL * s, const void *p, size_t n, size_t *done), (s, p, n, done), no_ssl(0))
CALL(int, UI_add_input_string, (UI * ui, const char *question, int flags, char *to, int least, int most),
    (ui, question, flags, to, least, most), no_ssl(-1))
CALL(UI_METHOD *, UI_create_method, (const char *name), (name), no_ssl_memory())
CALL(UI *, UI_new, (void), (), no_ssl_memory())
CALL(int, UI_process, (UI * ui), (ui), no_ssl(-1))
CALL(int, UI_set_result, (UI * ui, UI_STRING *s, const char *text), (ui, s, text), no_ssl(-1))
CALL(X509_EXTENSION *, X509V3_EXT_conf_nid,
    (LHASH_OF(CONF_VALUE) * conf, X509V3_CTX *c, int nid, const char *value), (conf, c, nid, value),
    no_ssl_memory())
CALL(X509_ALGOR *, X509_ALGOR_new, (void), (), no_ssl_memory())
CALL(int, X509_ALGOR_set0, (X509_ALGOR * a, ASN1_OBJECT *o, int type, void *value), (a, o, type, value),
    no_ssl(0))
CALL(int, X509_NAME_add_entry_by_txt,
    (X509_NAME * n, const char *field, int type, const unsigned char *p, int len, int at, int set),
    (n, field, type, p, len, at, set), no_ssl(0))
CALL(char *, X509_NAME_oneline, (const X509_NAME *name, char *to, int n), (name, to, n), no_ssl_memory())
CALL(int, X509_NAME_print_ex, (BIO * b, const X509_NAME *name, int indent, unsigned long how),
    (b, name, indent, how), no_ssl(-1))
CALL(X509_REQ *, X509_REQ_new, (void), (), no_ssl_memory())
CALL(int, X509_REQ_set_pubkey, (X509_REQ * x, EVP_PKEY *key), (x, key), no_ssl(0))
CALL(int, X509_REQ_set_version, (X509_REQ * x, long n), (x, n), no_ssl(0))
CALL(int, X509_REQ_sign_ctx, (X509_REQ * x, EVP_MD_CTX *c), (x, c), no_ssl(0))
CALL(int, X509_REQ_verify, (X509_REQ * x, EVP_PKEY *key), (x, key), no_ssl(-1))
CALL(int, X509_VERIFY_PARAM_set1_ip_asc, (X509_VERIFY_PARAM * p, const char *ip), (p, ip), no_ssl(0))
CALL(int, X509_add_ext, (X509 * x, X509_EXTENSION *e, int at), (x, e, at), no_ssl(0))
CALL(STACK_OF(X509) *, X509_chain_up_ref, (STACK_OF(X509) * chain), (chain), no_ssl_memory())
CALL(int, X509_check_private_key, (const X509 *x, const EVP_PKEY *key), (x, key), no_ssl(0))
CALL(int, X509_digest, (const X509 *x, const EVP_MD *md, unsigned char *to, unsigned *n), (x, md, to, n),
    no_ssl(0))
CALL(EVP_PKEY *, X509_get_pubkey, (X509 * x), (x), no_ssl_memory())
CALL(ASN1_TIME *, X509_gmtime_adj, (ASN1_TIME * t, long s), (t, s), no_ssl_memory())
CALL(X509 *, X509_new, (void), (), no_ssl_memory())
CALL(int, X509_set_issuer_name, (X509 * x, const X509_NAME *n), (x, n), no_ssl(0))
CALL(int, X509_set_pubkey, (X509 * x, EVP_PKEY *key), (x, key), no_ssl(0))
CALL(int, X509_set_version, (X509 * x, long n), (x, n), no_ssl(0))
CALL(int, X509_sign, (X509 * x, EVP_PKEY *key, const EVP_MD *md), (x, key, md), no_ssl(0))
CALL(int, X509_sign_ctx, (X509 * x, EVP_MD_CTX *c), (x, c), no_ssl(0))
CALL(ASN1_TIME *, X509_time_adj_ex, (ASN1_TIME * t, int days, long s, time_t *from), (t, days, s, from),
    no_ssl_memory())
CALL(int, X509_verify, (X509 * x, EVP_PKEY *key), (x, key), no_ssl(-1))
CALL(ASN1_OCTET_STRING *, d2i_ASN1_OCTET_STRING, (ASN1_OCTET_STRING * *s, const unsigned char **p, long n),
    (s, p, n), no_ssl_memory())
CALL(EVP_PKEY *, d2i_PUBKEY, (EVP_PKEY * *key, const unsigned char **p, long n), (key, p, n), no_ssl_memory())
CALL(X509 *, d2i_X509, (X509 * *x, const unsigned char **p, long n), (x, p, n), no_ssl_memory())
CALL(int, i2d_ASN1_OBJECT, (const ASN1_OBJECT *o, unsigned char **to), (o, to), no_ssl(-1))
CALL(int, i2d_ECDSA_SIG, (const ECDSA_SIG *sig, unsigned char **to), (sig, to), no_ssl(-1))
CALL(int, i2d_PUBKEY, (const EVP_PKEY *key, unsigned char **to), (key, to), no_ssl(-1))
CALL(int, i2d_X509_ALGOR, (const X509_ALGOR *a, unsigned char **to), (a, to), no_ssl(-1))

CALL(int, ASN1_get_object, (const unsigned char **p, long *n, int *tag, int *class, long most),
    (p, n, tag, class, most), no_ssl(0x80))
CALL(ASN1_OBJECT *, d2i_ASN1_OBJECT, (ASN1_OBJECT * *o, const unsigned char **p, long n), (o, p, n),
    no_ssl_memory())
CALL(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name, (OSSL_LIB_CTX * l, const char *name, const char *which),
    (l, name, which), no_ssl_memory())
CALL(int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * c), (c), no_ssl(0))
CALL(int, EVP_PKEY_fromdata, (EVP_PKEY_CTX * c, EVP_PKEY **key, int what, OSSL_PARAM *params),
    (c, key, what, params), no_ssl(0))
CALL(int, PEM_bytes_read_bio_secmem,
    (unsigned char **der, long *n, char **kind, const char *name, BIO *b, pem_password_cb *cb, void *u),
    (der, n, kind, name, b, cb, u), no_ssl(0))

/* OpenSSL 3.0.19: its decoders follow a NULL when memory is out in them (OSSL_DECODER_from_bio) */
FRAIL(OSSL_STORE_INFO *, OSSL_STORE_load, (OSSL_STORE_CTX * c), (c), no_ssl_memory())
FRAIL(OSSL_STORE_CTX *, OSSL_STORE_open_ex,
    (const char *uri, OSSL_LIB_CTX *l, const char *which, const UI_METHOD *ui, void *u,
	const OSSL_PARAM *params, OSSL_STORE_post_process_info_fn f, void *p),
    (uri, l, which, ui, u, params, f, p), no_ssl_memory())

/* jansson */
CALL(int, json_dump_callback, (const json_t *v, json_dump_callback_t f, void *to, size_t flags),
    (v, f, to, flags), -1)
CALL(json_t *, json_integer, (json_int_t n), (n), NULL)
HAND(json_loadb)
HAND(json_loads)
CALL(json_t *, json_object, (void), (), NULL)
CALL(int, json_object_set_new, (json_t * o, const char *key, json_t *v), (o, key, v), (json_decref(v), -1))
HAND(json_pack)
CALL(json_t *, json_string, (const char *s), (s), NULL)
CALL(json_t *, json_stringn, (const char *s, size_t n), (s, n), NULL)
HAND(json_sprintf)

/* WebSocket */
CALL(int, wslay_frame_context_init,
    (wslay_frame_context_ptr * out, const struct wslay_frame_callbacks *calls, void *arg), (out, calls, arg),
    -1)
/* they fail where our callbacks do */
SURE(wslay_frame_recv)
SURE(wslay_frame_send)

/* AMQP: what makes something, or copies bytes */
CALL(int, pn_connection_driver_init, (pn_connection_driver_t * d, pn_connection_t *c, pn_transport_t *t),
    (d, c, t), -1)
CALL(pn_session_t *, pn_session, (pn_connection_t * c), (c), NULL)
CALL(pn_link_t *, pn_sender, (pn_session_t * s, const char *name), (s, name), NULL)
CALL(pn_link_t *, pn_receiver, (pn_session_t * s, const char *name), (s, name), NULL)
CALL(pn_delivery_t *, pn_delivery, (pn_link_t * l, pn_delivery_tag_t tag), (l, tag), NULL)
CALL(ssize_t, pn_link_send, (pn_link_t * l, const char *p, size_t n), (l, p, n), -1)
CALL(ssize_t, pn_link_recv, (pn_link_t * l, char *p, size_t n), (l, p, n), -1)
/* they look at what is there, or note what is to be done; Proton has no other answer when memory is out */
SURE(pn_bytes)
SURE(pn_condition_get_description)
SURE(pn_condition_get_name)
SURE(pn_condition_info)
SURE(pn_condition_is_set)
SURE(pn_condition_set_description)
SURE(pn_condition_set_name)
SURE(pn_connection_close)
SURE(pn_connection_condition)
SURE(pn_connection_driver_bind)
SURE(pn_connection_driver_destroy)
SURE(pn_connection_driver_next_event)
SURE(pn_connection_driver_read_buffer)
SURE(pn_connection_driver_read_closed)
SURE(pn_connection_driver_read_done)
SURE(pn_connection_driver_write_buffer)
SURE(pn_connection_driver_write_done)
SURE(pn_connection_open)
SURE(pn_connection_properties)
SURE(pn_connection_remote_condition)
SURE(pn_connection_remote_container)
SURE(pn_connection_remote_hostname)
SURE(pn_connection_set_container)
SURE(pn_connection_set_hostname)
SURE(pn_data_enter)
SURE(pn_data_exit)
SURE(pn_data_get_map)
SURE(pn_data_get_string)
SURE(pn_data_get_symbol)
SURE(pn_data_next)
SURE(pn_data_put_int)
SURE(pn_data_put_map)
SURE(pn_data_put_string)
SURE(pn_data_put_symbol)
SURE(pn_data_rewind)
SURE(pn_data_type)
SURE(pn_delivery_aborted)
SURE(pn_delivery_current)
SURE(pn_delivery_get_context)
SURE(pn_delivery_link)
SURE(pn_delivery_local)
SURE(pn_delivery_partial)
SURE(pn_delivery_pending)
SURE(pn_delivery_remote)
SURE(pn_delivery_remote_state)
SURE(pn_delivery_set_context)
SURE(pn_delivery_settle)
SURE(pn_delivery_settled)
SURE(pn_delivery_update)
SURE(pn_delivery_updated)
SURE(pn_disposition_condition)
SURE(pn_disposition_set_failed)
SURE(pn_dtag)
SURE(pn_event_delivery)
SURE(pn_event_link)
SURE(pn_event_session)
SURE(pn_event_transport)
SURE(pn_event_type)
SURE(pn_link_advance)
SURE(pn_link_close)
SURE(pn_link_condition)
SURE(pn_link_credit)
SURE(pn_link_flow)
SURE(pn_link_free)
SURE(pn_link_get_context)
SURE(pn_link_head)
SURE(pn_link_is_receiver)
SURE(pn_link_next)
SURE(pn_link_open)
SURE(pn_link_properties)
SURE(pn_link_remote_condition)
SURE(pn_link_remote_properties)
SURE(pn_link_remote_source)
SURE(pn_link_remote_target)
SURE(pn_link_session)
SURE(pn_link_set_context)
SURE(pn_link_set_max_message_size)
SURE(pn_link_source)
SURE(pn_link_state)
SURE(pn_link_target)
SURE(pn_logger_set_log_sink)
SURE(pn_session_close)
SURE(pn_session_free)
SURE(pn_session_open)
SURE(pn_session_state)
SURE(pn_terminus_copy)
SURE(pn_terminus_get_address)
SURE(pn_terminus_get_type)
SURE(pn_terminus_set_address)
SURE(pn_terminus_set_type)
SURE(pn_transport_condition)
SURE(pn_transport_logger)
SURE(pn_transport_set_channel_max)
SURE(pn_transport_set_idle_timeout)
SURE(pn_transport_set_max_frame)
SURE(pn_transport_set_server)
SURE(pn_transport_tick)
SURE(pn_transport_trace)
SURE(pn_unsettled_head)
SURE(pn_unsettled_next)

/* modules: p11-kit and the loader */
CALL(void *, dlopen, (const char *path, int how), (path, how), NULL)
CALL(void *, dlsym, (void *so, const char *name), (so, name), NULL)
HAND(p11_kit_config_option)
HAND(p11_kit_module_finalize)
HAND(p11_kit_module_initialize)
HAND(p11_kit_module_load)
HAND(p11_kit_module_release)
CALL(CK_FUNCTION_LIST *, p11_kit_module_for_name, (CK_FUNCTION_LIST * *all, const char *name), (all, name),
    NULL)
CALL(CK_FUNCTION_LIST **, p11_kit_modules_load, (const char *reserved, int flags), (reserved, flags), NULL)
CALL(P11KitUri *, p11_kit_uri_new, (void), (), NULL)
CALL(int, p11_kit_uri_parse, (const char *s, P11KitUriType what, P11KitUri *u), (s, what, u),
    P11_KIT_URI_UNEXPECTED)
CALL(int, p11_kit_uri_set_attribute, (P11KitUri * u, CK_ATTRIBUTE *a), (u, a), P11_KIT_URI_UNEXPECTED)
HAND(p11_kit_uri_format)

/* a PKCS#11 token: of its ways to fail, those after which it may work again */
TOKEN(C_CloseSession, (CK_SESSION_HANDLE s), (s), CKR_DEVICE_REMOVED)
TOKEN(C_FindObjects, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG max, CK_ULONG *n),
    (s, out, max, n), CKR_DEVICE_ERROR)
TOKEN(C_FindObjectsFinal, (CK_SESSION_HANDLE s), (s), CKR_DEVICE_ERROR)
TOKEN(C_FindObjectsInit, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *want, CK_ULONG n), (s, want, n), CKR_HOST_MEMORY)
TOKEN(C_GenerateKeyPair,
    (CK_SESSION_HANDLE s, CK_MECHANISM *how, CK_ATTRIBUTE *public, CK_ULONG publics, CK_ATTRIBUTE *private,
	CK_ULONG privates, CK_OBJECT_HANDLE *pub, CK_OBJECT_HANDLE *key),
    (s, how, public, publics, private, privates, pub, key), CKR_DEVICE_MEMORY)
TOKEN(C_GenerateRandom, (CK_SESSION_HANDLE s, CK_BYTE *p, CK_ULONG n), (s, p, n), CKR_RANDOM_NO_RNG)
TOKEN(C_GetAttributeValue, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n),
    (s, o, a, n), CKR_DEVICE_ERROR)
TOKEN(C_GetInfo, (CK_INFO * to), (to), CKR_FUNCTION_FAILED)
TOKEN(C_GetMechanismInfo, (CK_SLOT_ID slot, CK_MECHANISM_TYPE what, CK_MECHANISM_INFO *to), (slot, what, to),
    CKR_TOKEN_NOT_PRESENT)
TOKEN(C_GetSessionInfo, (CK_SESSION_HANDLE s, CK_SESSION_INFO *to), (s, to), CKR_SESSION_HANDLE_INVALID)
TOKEN(C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO *to), (slot, to), CKR_SLOT_ID_INVALID)
TOKEN(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID *to, CK_ULONG *n), (present, to, n), CKR_GENERAL_ERROR)
TOKEN(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO *to), (slot, to), CKR_TOKEN_NOT_RECOGNIZED)
TOKEN(C_Login, (CK_SESSION_HANDLE s, CK_USER_TYPE who, CK_UTF8CHAR *pin, CK_ULONG n), (s, who, pin, n),
    CKR_DEVICE_ERROR)
TOKEN(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, void *u, CK_NOTIFY f, CK_SESSION_HANDLE *out),
    (slot, flags, u, f, out), CKR_SESSION_COUNT)
TOKEN(C_Sign, (CK_SESSION_HANDLE s, CK_BYTE *p, CK_ULONG n, CK_BYTE *to, CK_ULONG *len), (s, p, n, to, len),
    CKR_DEVICE_REMOVED)
TOKEN(C_SignInit, (CK_SESSION_HANDLE s, CK_MECHANISM *how, CK_OBJECT_HANDLE key), (s, how, key),
    CKR_SESSION_CLOSED)

/* a custom HSM */
VENDOR(int, vendor_init, (void), (), 1)
VENDOR(const HSM_CLIENT_X509_V2_INTERFACE *, vendor_x509, (void), (), NULL)
VENDOR(HSM_CLIENT_HANDLE, vendor_create, (void), (), NULL)
VENDOR(char *, vendor_get_cert, (HSM_CLIENT_HANDLE h), (h), NULL)
VENDOR(char *, vendor_get_common_name, (HSM_CLIENT_HANDLE h), (h), NULL)
VENDOR(char *, vendor_get_public_key, (HSM_CLIENT_HANDLE h), (h), NULL)
VENDOR(char *, vendor_get_algorithms, (HSM_CLIENT_HANDLE h), (h), NULL)
VENDOR(int, vendor_sign_digest,
    (HSM_CLIENT_HANDLE h, const char *how, const unsigned char *p, size_t n, unsigned char **sig,
	size_t *len),
    (h, how, p, n, sig, len), 7)

/* the TPM */
TPM(Tss2_TctiLdr_Initialize, (const char *conf, TSS2_TCTI_CONTEXT **out), (conf, out), TSS2_TCTI_RC_IO_ERROR)
TPM(Esys_Initialize, (ESYS_CONTEXT * *out, TSS2_TCTI_CONTEXT *road, TSS2_ABI_VERSION *v), (out, road, v),
    TSS2_ESYS_RC_MEMORY)
TPM(Esys_ActivateCredential,
    (ESYS_CONTEXT * c, ESYS_TR a, ESYS_TR k, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_ID_OBJECT *id,
	const TPM2B_ENCRYPTED_SECRET *secret, TPM2B_DIGEST **out),
    (c, a, k, s1, s2, s3, id, secret, out), no_tpm())
TPM(Esys_ContextLoad, (ESYS_CONTEXT * c, const TPMS_CONTEXT *saved, ESYS_TR *out), (c, saved, out), no_tpm())
TPM(Esys_ContextSave, (ESYS_CONTEXT * c, ESYS_TR what, TPMS_CONTEXT **out), (c, what, out), no_tpm())
TPM(Esys_Create,
    (ESYS_CONTEXT * c, ESYS_TR parent, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
	const TPM2B_SENSITIVE_CREATE *secret, const TPM2B_PUBLIC *wish, const TPM2B_DATA *outside,
	const TPML_PCR_SELECTION *pcrs, TPM2B_PRIVATE **private, TPM2B_PUBLIC **area,
	TPM2B_CREATION_DATA **data, TPM2B_DIGEST **hash, TPMT_TK_CREATION **ticket),
    (c, parent, s1, s2, s3, secret, wish, outside, pcrs, private, area, data, hash, ticket), no_tpm())
TPM(Esys_CreatePrimary,
    (ESYS_CONTEXT * c, ESYS_TR h, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_SENSITIVE_CREATE *secret,
	const TPM2B_PUBLIC *wish, const TPM2B_DATA *outside, const TPML_PCR_SELECTION *pcrs, ESYS_TR *made,
	TPM2B_PUBLIC **area, TPM2B_CREATION_DATA **data, TPM2B_DIGEST **hash, TPMT_TK_CREATION **ticket),
    (c, h, s1, s2, s3, secret, wish, outside, pcrs, made, area, data, hash, ticket), no_tpm())
TPM(Esys_EvictControl,
    (ESYS_CONTEXT * c, ESYS_TR auth, ESYS_TR what, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPMI_DH_PERSISTENT at,
	ESYS_TR *now),
    (c, auth, what, s1, s2, s3, at, now), no_tpm())
TPM(Esys_FlushContext, (ESYS_CONTEXT * c, ESYS_TR what), (c, what), no_tpm())
TPM(Esys_GetCapability,
    (ESYS_CONTEXT * c, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPM2_CAP cap, UINT32 first, UINT32 n,
	TPMI_YES_NO *more, TPMS_CAPABILITY_DATA **out),
    (c, s1, s2, s3, cap, first, n, more, out), no_tpm())
TPM(Esys_HMAC,
    (ESYS_CONTEXT * c, ESYS_TR key, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_MAX_BUFFER *p,
	TPMI_ALG_HASH alg, TPM2B_DIGEST **out),
    (c, key, s1, s2, s3, p, alg, out), no_tpm())
TPM(Esys_HMAC_Start,
    (ESYS_CONTEXT * c, ESYS_TR key, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_AUTH *auth,
	TPMI_ALG_HASH alg, ESYS_TR *sequence),
    (c, key, s1, s2, s3, auth, alg, sequence), no_tpm())
TPM(Esys_Import,
    (ESYS_CONTEXT * c, ESYS_TR parent, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_DATA *inner,
	const TPM2B_PUBLIC *area, const TPM2B_PRIVATE *duplicate, const TPM2B_ENCRYPTED_SECRET *seed,
	const TPMT_SYM_DEF_OBJECT *alg, TPM2B_PRIVATE **out),
    (c, parent, s1, s2, s3, inner, area, duplicate, seed, alg, out), no_tpm())
TPM(Esys_Load,
    (ESYS_CONTEXT * c, ESYS_TR parent, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_PRIVATE *private,
	const TPM2B_PUBLIC *area, ESYS_TR *out),
    (c, parent, s1, s2, s3, private, area, out), no_tpm())
TPM(Esys_PolicySecret,
    (ESYS_CONTEXT * c, ESYS_TR auth, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
	const TPM2B_NONCE *nonce, const TPM2B_DIGEST *hash, const TPM2B_NONCE *ref, INT32 until,
	TPM2B_TIMEOUT **out, TPMT_TK_AUTH **ticket),
    (c, auth, session, s1, s2, s3, nonce, hash, ref, until, out, ticket), no_tpm())
TPM(Esys_RSA_Decrypt,
    (ESYS_CONTEXT * c, ESYS_TR key, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_PUBLIC_KEY_RSA *in,
	const TPMT_RSA_DECRYPT *how, const TPM2B_DATA *label, TPM2B_PUBLIC_KEY_RSA **out),
    (c, key, s1, s2, s3, in, how, label, out), no_tpm())
TPM(Esys_ReadPublic,
    (ESYS_CONTEXT * c, ESYS_TR what, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPM2B_PUBLIC **area,
	TPM2B_NAME **name, TPM2B_NAME **qualified),
    (c, what, s1, s2, s3, area, name, qualified), no_tpm())
TPM(Esys_SequenceComplete,
    (ESYS_CONTEXT * c, ESYS_TR what, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_MAX_BUFFER *p,
	ESYS_TR hierarchy, TPM2B_DIGEST **out, TPMT_TK_HASHCHECK **ticket),
    (c, what, s1, s2, s3, p, hierarchy, out, ticket), no_tpm())
TPM(Esys_SequenceUpdate,
    (ESYS_CONTEXT * c, ESYS_TR what, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_MAX_BUFFER *p),
    (c, what, s1, s2, s3, p), no_tpm())
TPM(Esys_Sign,
    (ESYS_CONTEXT * c, ESYS_TR key, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_DIGEST *digest,
	const TPMT_SIG_SCHEME *how, const TPMT_TK_HASHCHECK *ticket, TPMT_SIGNATURE **out),
    (c, key, s1, s2, s3, digest, how, ticket, out), no_tpm())
TPM(Esys_StartAuthSession,
    (ESYS_CONTEXT * c, ESYS_TR key, ESYS_TR bind, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
	const TPM2B_NONCE *nonce, TPM2_SE kind, const TPMT_SYM_DEF *alg, TPMI_ALG_HASH hash, ESYS_TR *out),
    (c, key, bind, s1, s2, s3, nonce, kind, alg, hash, out), no_tpm())
TPM(Esys_Startup, (ESYS_CONTEXT * c, TPM2_SU how), (c, how), no_tpm())
TPM(Esys_TRSess_SetAttributes, (ESYS_CONTEXT * c, ESYS_TR s, TPMA_SESSION flags, TPMA_SESSION mask),
    (c, s, flags, mask), TSS2_ESYS_RC_BAD_TR)
TPM(Esys_TR_Close, (ESYS_CONTEXT * c, ESYS_TR *what), (c, what), TSS2_ESYS_RC_BAD_TR)
TPM(Esys_TR_FromTPMPublic,
    (ESYS_CONTEXT * c, TPM2_HANDLE at, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, ESYS_TR *out),
    (c, at, s1, s2, s3, out), no_tpm())
TPM(Esys_TR_GetName, (ESYS_CONTEXT * c, ESYS_TR what, TPM2B_NAME **name), (c, what, name),
    TSS2_ESYS_RC_MEMORY)
TPM(Esys_TR_Serialize, (ESYS_CONTEXT * c, ESYS_TR what, uint8_t **p, size_t *n), (c, what, p, n),
    TSS2_ESYS_RC_MEMORY)
TPM(Esys_TR_SetAuth, (ESYS_CONTEXT * c, ESYS_TR what, const TPM2B_AUTH *auth), (c, what, auth),
    TSS2_ESYS_RC_BAD_TR)
TPM(Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal,
    (const uint8_t *p, size_t n, size_t *at, TPM2B_ENCRYPTED_SECRET *to), (p, n, at, to),
    TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPM2B_ID_OBJECT_Unmarshal, (const uint8_t *p, size_t n, size_t *at, TPM2B_ID_OBJECT *to),
    (p, n, at, to), TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPM2B_NAME_Unmarshal, (const uint8_t *p, size_t n, size_t *at, TPM2B_NAME *to), (p, n, at, to),
    TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPM2B_PRIVATE_Marshal, (const TPM2B_PRIVATE *from, uint8_t *p, size_t n, size_t *at),
    (from, p, n, at), TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPM2B_PRIVATE_Unmarshal, (const uint8_t *p, size_t n, size_t *at, TPM2B_PRIVATE *to),
    (p, n, at, to), TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPM2B_PUBLIC_Marshal, (const TPM2B_PUBLIC *from, uint8_t *p, size_t n, size_t *at),
    (from, p, n, at), TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPM2B_PUBLIC_Unmarshal, (const uint8_t *p, size_t n, size_t *at, TPM2B_PUBLIC *to),
    (p, n, at, to), TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_TPMT_PUBLIC_Marshal, (const TPMT_PUBLIC *from, uint8_t *p, size_t n, size_t *at),
    (from, p, n, at), TSS2_MU_RC_INSUFFICIENT_BUFFER)
TPM(Tss2_MU_UINT32_Unmarshal, (const uint8_t *p, size_t n, size_t *at, UINT32 *to), (p, n, at, to),
    TSS2_MU_RC_INSUFFICIENT_BUFFER)

/* pure: they look at bytes, or move them */
SURE(CRYPTO_memcmp)
SURE(EC_curve_nid2nist)
SURE(EC_curve_nist2nid)
SURE(EVP_MD_is_a)
SURE(EVP_PKEY_is_a)
SURE(OBJ_find_sigid_by_algs)
SURE(OBJ_nid2obj)
SURE(OBJ_nid2sn)
SURE(OBJ_obj2nid)
SURE(OBJ_sn2nid)
SURE(OPENSSL_cleanse)
SURE(OSSL_PARAM_construct_BN)
SURE(OSSL_PARAM_construct_end)
SURE(OSSL_PARAM_construct_octet_string)
SURE(OSSL_PARAM_construct_utf8_string)
SURE(OSSL_PARAM_get_int)
SURE(OSSL_PARAM_get_utf8_string)
SURE(OSSL_PARAM_locate)
SURE(OSSL_PARAM_locate_const)
SURE(OSSL_PARAM_set_int)
SURE(OSSL_PARAM_set_octet_string)
SURE(OSSL_PARAM_set_utf8_string)
SURE(X509_cmp_current_time)
SURE(__ctype_b_loc)
SURE(__ctype_tolower_loc)
SURE(atoll)
SURE(inet_pton)
SURE(malloc_usable_size)
SURE(memchr)
SURE(memcmp)
SURE(memcpy)
SURE(memmove)
SURE(memset)
SURE(p11_kit_space_strlen)
SURE(secure_getenv)
SURE(sigaddset)
SURE(sigemptyset)
SURE(sigfillset)
SURE(sigismember)
SURE(strchr)
SURE(strcmp)
SURE(strcspn)
SURE(strlen)
SURE(strncmp)
SURE(strnlen)
SURE(strrchr)
SURE(strspn)
SURE(strstr)
SURE(strtod)
SURE(strtok_r)
SURE(strtoll)
SURE(strtoul)
SURE(tolower)
/* no formats of ours make them allocate */
SURE(snprintf)
SURE(vsnprintf)
SURE(gmtime_r)
SURE(timegm)
SURE(__isoc99_sscanf)
SURE(strftime)
/* they give the reason of something else */
SURE(ERR_clear_error)
SURE(ERR_get_error)
SURE(ERR_new)
SURE(ERR_peek_error)
SURE(ERR_peek_error_all)
SURE(ERR_peek_last_error)
SURE(ERR_peek_last_error_all)
SURE(ERR_pop_to_mark)
SURE(ERR_reason_error_string)
SURE(ERR_set_debug)
SURE(ERR_set_error)
SURE(ERR_set_mark)
SURE(SSL_alert_desc_string_long)
SURE(SSL_get_error)
SURE(SSL_get_verify_result)
SURE(Tss2_RC_Decode)
SURE(X509_verify_cert_error_string)
SURE(__errno_location)
SURE(__stack_chk_fail)
SURE(__xpg_strerror_r)
SURE(dlerror)
SURE(gai_strerror)
SURE(p11_kit_message)
SURE(p11_kit_uri_message)
/* they give back */
SURE(ASN1_OBJECT_free)
SURE(ASN1_OCTET_STRING_free)
SURE(ASN1_STRING_free)
SURE(BIO_free)
SURE(BN_free)
SURE(BN_is_odd)
SURE(BN_num_bits)
SURE(CRYPTO_clear_free)
SURE(CRYPTO_free)
SURE(CRYPTO_secure_clear_free)
SURE(CRYPTO_secure_free)
SURE(ECDSA_SIG_free)
SURE(EC_KEY_free)
SURE(ENGINE_finish)
SURE(ENGINE_free)
SURE(EVP_MD_CTX_free)
SURE(EVP_MD_free)
SURE(EVP_PKEY_CTX_free)
SURE(EVP_PKEY_free)
SURE(Esys_Finalize)
SURE(Esys_Free)
SURE(OPENSSL_sk_pop_free)
SURE(OPENSSL_thread_stop)
SURE(OPENSSL_thread_stop_ex)
SURE(OSSL_LIB_CTX_free)
SURE(OSSL_PARAM_BLD_free)
SURE(OSSL_PARAM_free)
SURE(OSSL_PROVIDER_unload)
SURE(OSSL_STORE_INFO_free)
SURE(OSSL_STORE_close)
SURE(RSA_PSS_PARAMS_free)
SURE(RSA_free)
SURE(SSL_CTX_free)
SURE(SSL_SESSION_free)
SURE(SSL_free)
SURE(Tss2_TctiLdr_Finalize)
SURE(UI_free)
SURE(X509_ALGOR_free)
SURE(X509_EXTENSION_free)
SURE(X509_REQ_free)
SURE(X509_free)
SURE(closedir)
SURE(dlclose)
SURE(fclose)
SURE(freeaddrinfo)
SURE(json_delete)
SURE(p11_kit_modules_release)
SURE(p11_kit_uri_free)
SURE(wslay_frame_context_free)
/* they read or set a field of an object that is there */
SURE(ASN1_STRING_get0_data)
SURE(ASN1_STRING_length)
SURE(BIO_clear_flags)
SURE(BIO_get_data)
SURE(BIO_meth_set_ctrl)
SURE(BIO_meth_set_read)
SURE(BIO_meth_set_write)
SURE(BIO_set_data)
SURE(BIO_set_flags)
SURE(BIO_set_init)
SURE(EC_KEY_get0_group)
SURE(EC_KEY_get0_public_key)
SURE(ENGINE_get_EC)
SURE(ENGINE_get_RSA)
SURE(ENGINE_get_first)
SURE(ENGINE_get_id)
SURE(ENGINE_get_load_privkey_function)
SURE(ENGINE_get_load_pubkey_function)
SURE(ENGINE_get_next)
SURE(EVP_MD_get_size)
SURE(EVP_MD_get_type)
SURE(EVP_MD_up_ref)
SURE(EVP_PKEY_get0_provider)
SURE(EVP_PKEY_get_base_id)
SURE(EVP_PKEY_get_bits)
SURE(EVP_PKEY_get_size)
SURE(EVP_PKEY_up_ref)
SURE(Esys_GetSysContext)
SURE(OPENSSL_sk_num)
SURE(OPENSSL_sk_value)
SURE(OSSL_PROVIDER_get0_name)
SURE(OSSL_STORE_INFO_get_type)
SURE(OSSL_STORE_eof)
SURE(OSSL_STORE_error)
SURE(RSA_get0_e)
SURE(RSA_get0_n)
SURE(SSL_CTX_get0_param)
SURE(SSL_CTX_sess_set_new_cb)
SURE(SSL_CTX_set_cert_verify_callback)
SURE(SSL_CTX_set_num_tickets)
SURE(SSL_CTX_set_options)
SURE(SSL_CTX_set_timeout)
SURE(SSL_CTX_set_verify)
SURE(SSL_SESSION_get0_peer)
SURE(SSL_get0_param)
SURE(SSL_get_peer_cert_chain)
SURE(SSL_get_privatekey)
SURE(SSL_get_rbio)
SURE(SSL_get_session)
SURE(SSL_get_version)
SURE(SSL_is_server)
SURE(SSL_session_reused)
SURE(SSL_set_accept_state)
SURE(SSL_set_bio)
SURE(SSL_set_connect_state)
SURE(SSL_set_hostflags)
SURE(SSL_set_shutdown)
SURE(SSL_version)
SURE(UI_get0_user_data)
SURE(UI_get_string_type)
SURE(UI_method_set_reader)
SURE(X509V3_set_ctx)
SURE(X509_NAME_ENTRY_get_data)
SURE(X509_NAME_get_entry)
SURE(X509_NAME_get_index_by_NID)
SURE(X509_REQ_get_subject_name)
SURE(X509_VERIFY_PARAM_set_flags)
SURE(X509_get0_notAfter)
SURE(X509_get0_pubkey)
SURE(X509_get_serialNumber)
SURE(X509_get_subject_name)
SURE(X509_getm_notAfter)
SURE(X509_getm_notBefore)
SURE(json_array_get)
SURE(json_array_size)
SURE(json_integer_value)
SURE(json_object_get)
SURE(json_object_iter)
SURE(json_object_iter_key)
SURE(json_object_iter_next)
SURE(json_object_iter_value)
SURE(json_object_key_to_iter)
SURE(json_real_value)
SURE(json_string_length)
SURE(json_string_value)
SURE(p11_kit_uri_any_unrecognized)
SURE(p11_kit_uri_get_attribute)
SURE(p11_kit_uri_get_slot_id)
SURE(p11_kit_uri_get_token_info)
SURE(p11_kit_uri_match_module_info)
SURE(p11_kit_uri_match_slot_info)
SURE(p11_kit_uri_match_token_info)
/* constants */
SURE(BIO_s_mem)
SURE(EVP_sha1)
SURE(EVP_sha256)
SURE(EVP_sha384)
SURE(EVP_sha512)
SURE(OPENSSL_info)
SURE(RSA_PSS_PARAMS_it)
SURE(TLS_client_method)
SURE(TLS_server_method)
SURE(X509_ALGOR_it)
SURE(X509_get_default_cert_dir)
SURE(X509_get_default_cert_dir_env)
SURE(X509_get_default_cert_file)
SURE(X509_get_default_cert_file_env)
SURE(getpid)
SURE(json_null)
SURE(sysconf)
/* they answer nothing: what they copy may be missing, and the URI says less */
SURE(X509_ALGOR_set_md)
SURE(p11_kit_uri_set_module_name)
SURE(p11_kit_uri_set_module_path)
SURE(p11_kit_uri_set_pin_source)
/* POSIX lets some of them fail; with valid objects and default attributes, Linux has nothing that could */
SURE(pthread_attr_destroy)
SURE(pthread_attr_init)
SURE(pthread_attr_setdetachstate)
SURE(pthread_cond_broadcast)
SURE(pthread_cond_destroy)
SURE(pthread_cond_init)
SURE(pthread_mutex_destroy)
SURE(pthread_mutex_init)
SURE(pthread_once)
SURE(pthread_sigmask)
SURE(sigpending)
SURE(sigtimedwait)
