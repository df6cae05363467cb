#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "base/str.h"
#include "hsm/custom.h"

struct custom {
	struct custom *next;
	void *so; /* NULL: linked in */
	char *name;
	struct hf_hsm_table table;
	unsigned holders;
	pthread_mutex_t lock;
};

/* Guards the list, the linked table, and starting and ending. */
static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;
static struct custom *first;
static struct hf_hsm_table linked;

static int
has_getter(const struct hf_hsm_table *t)
{
	return t->x509 || t->x509_v2 || t->tpm || t->key;
}

static int
in_use(const void *so)
{
	struct custom *c = first;

	while (c && c->so != so)
		c = c->next;
	return c != NULL;
}

static int
link_table(const struct hf_hsm_table *t)
{
	struct hf_hsm_table own = { 0 };

	if (t && (t->size < offsetof(struct hf_hsm_table, x509_init) || t->size > 65536 ||
		     t->size % sizeof t->x509_init != 0))
		return HF_ERR_ARGS;
	if (t)
		memcpy(&own, t, t->size < sizeof own ? t->size : sizeof own);
	if (t && !has_getter(&own))
		return HF_ERR_ARGS;
	if (in_use(NULL) || (t && has_getter(&linked)))
		return HF_ERR_STATE;
	linked = own;
	return 0;
}

int
hf_hsm_link(const struct hf_hsm_table *t)
{
	int rc;

	pthread_mutex_lock(&all);
	rc = link_table(t);
	pthread_mutex_unlock(&all);
	return rc;
}

/* Functions come from dlsym() as plain pointers; POSIX promises that they fit. */
static void
find(void *so, const char *name, void *function)
{
	void *p = dlsym(so, name);

	memcpy(function, &p, sizeof p);
}

static void
find_all(void *so, struct hf_hsm_table *t)
{
	find(so, "hsm_client_x509_init", &t->x509_init);
	find(so, "hsm_client_x509_deinit", &t->x509_deinit);
	find(so, "hsm_client_tpm_init", &t->tpm_init);
	find(so, "hsm_client_tpm_deinit", &t->tpm_deinit);
	find(so, "hsm_client_x509_interface", &t->x509);
	find(so, "hsm_client_x509_v2_interface", &t->x509_v2);
	find(so, "hsm_client_tpm_interface", &t->tpm);
	find(so, "hsm_client_key_interface", &t->key);
}

static int
start(struct custom *c, struct hf_error *err)
{
	const struct hf_hsm_table *t = &c->table;

	if (!has_getter(t))
		return err_set(err, HF_ERR_KEY,
		    "%s has none of the functions of a custom HSM: hsm_client_x509_interface, hsm_client_x509_v2_interface, "
		    "hsm_client_tpm_interface, hsm_client_key_interface (hsm_client_data.h)",
		    c->name);
	if (t->x509_init && t->x509_init() != 0)
		return custom_fail(c, err, "hsm_client_x509_init", "failed");
	if (!t->tpm_init || t->tpm_init() == 0)
		return 0;
	if (t->x509_deinit)
		t->x509_deinit();
	return custom_fail(c, err, "hsm_client_tpm_init", "failed");
}

static void
drop(struct custom *c)
{
	str_free(&c->name);
	if (c->so)
		(void)dlclose(c->so);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct custom *
make(void *so, const char *path)
{
	struct custom *c = calloc(1, sizeof *c);
	char name[PATH_MAX + 16];

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	if (str_fmt(name, sizeof name, so ? "custom HSM %s" : "linked-in custom HSM%s", path) < 0 ||
	    str_set(&c->name, name) < 0) {
		drop(c);
		return NULL;
	}
	if (so)
		find_all(so, &c->table);
	else
		c->table = linked;
	c->so = so;
	return c;
}

/* Takes `so`. One file has one handle, by whatever name it was opened. */
static int
hold(struct custom **out, void *so, const char *path, struct hf_error *err)
{
	struct custom *c = first;
	int rc;

	while (c && c->so != so)
		c = c->next;
	if (c) {
		if (so)
			(void)dlclose(so);
		c->holders++;
		*out = c;
		return 0;
	}
	c = make(so, path);
	if (!c) {
		if (so)
			(void)dlclose(so);
		return err_memory(err);
	}
	rc = start(c, err);
	ERR_clear_error();
	if (rc < 0) {
		drop(c);
		return rc;
	}
	c->holders = 1;
	c->next = first;
	first = c;
	*out = c;
	return 0;
}

int
custom_open(struct custom **out, const char *path, struct hf_error *err)
{
	void *so = NULL;
	int rc;

	*out = NULL;
	if (*path) {
		if ((rc = uri_absolute(path, "a custom HSM library", err)) < 0)
			return rc;
		so = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
		ERR_clear_error();
		if (!so)
			return err_set(
			    err, HF_ERR_KEY, "custom HSM %s cannot be loaded: %s", path, dlerror());
	}
	pthread_mutex_lock(&all);
	if (!so && !has_getter(&linked))
		rc = err_set(err, HF_ERR_ARGS,
		    "no custom HSM is linked into this program; name a library, as hsm:/PATH/TO/IT.so, "
		    "or build Holdfast with -Dhsm_custom_lib=/PATH/TO/IT.a");
	else
		rc = hold(out, so, path, err);
	pthread_mutex_unlock(&all);
	return rc;
}

static void
end(struct custom *c)
{
	struct custom **at = &first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->table.tpm_deinit)
		c->table.tpm_deinit();
	if (c->table.x509_deinit)
		c->table.x509_deinit();
	ERR_clear_error();
	drop(c);
}

struct custom *
custom_hold(struct custom *c)
{
	pthread_mutex_lock(&all);
	c->holders++;
	pthread_mutex_unlock(&all);
	return c;
}

void
custom_close(struct custom *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&all);
	if (--c->holders == 0)
		end(c);
	pthread_mutex_unlock(&all);
}

const struct hf_hsm_table *
custom_table(const struct custom *c)
{
	return &c->table;
}

const char *
custom_name(const struct custom *c)
{
	return c->name;
}

void
custom_enter(struct custom *c)
{
	pthread_mutex_lock(&c->lock);
}

void
custom_leave(struct custom *c)
{
	ERR_clear_error();
	pthread_mutex_unlock(&c->lock);
}

int
custom_fail(const struct custom *c, struct hf_error *err, const char *function, const char *fault)
{
	return err_set(err, HF_ERR_KEY, "%s: %s() %s", c->name, function, fault);
}

int
custom_begin(struct custom_session *s, HSM_CLIENT_CREATE create, HSM_CLIENT_DESTROY destroy,
    const char *prefix, struct hf_error *err)
{
	char name[64];

	if (s->handle)
		return 0;
	(void)str_fmt(name, sizeof name, "%s_%s", prefix, create && !destroy ? "destroy" : "create");
	if (!create || !destroy)
		return custom_fail(s->lib, err, name, "is NULL in its table");
	custom_enter(s->lib);
	s->handle = create();
	custom_leave(s->lib);
	if (!s->handle)
		return custom_fail(s->lib, err, name, "returned NULL: there is no session with it");
	s->destroy = destroy;
	return 0;
}

void
custom_end(struct custom_session *s)
{
	if (s->handle) {
		custom_enter(s->lib);
		s->destroy(s->handle);
		custom_leave(s->lib);
	}
	custom_close(s->lib);
	*s = (struct custom_session){ 0 };
}

static int
too_long(struct custom_session *s, struct hf_error *err, const char *name, size_t max)
{
	return err_set(err, HF_ERR_KEY, "%s: %s() returned more than the %zu bytes that may be",
	    custom_name(s->lib), name, max);
}

int
custom_ask(struct custom_session *s, custom_text_fn *fn, const char *name, size_t max, struct buf *out,
    struct hf_error *err)
{
	char *text;
	size_t n;
	int rc;

	if (!fn)
		return 0;
	custom_enter(s->lib);
	text = fn(s->handle);
	custom_leave(s->lib);
	if (!text)
		return 0;
	n = strnlen(text, max + 1);
	if (n > max)
		rc = too_long(s, err, name, max);
	else
		rc = buf_put(out, text, n) < 0 ? err_memory(err) : n > 0;
	OPENSSL_cleanse(text, n);
	free(text);
	return rc;
}

int
custom_text(struct custom_session *s, custom_text_fn *fn, const char *name, size_t max, struct buf *out,
    struct hf_error *err)
{
	int rc;

	if (!fn)
		return custom_fail(s->lib, err, name, "is NULL in its table");
	rc = custom_ask(s, fn, name, max, out, err);
	if (rc == 0)
		return custom_fail(s->lib, err, name, "returned NULL or an empty text");
	return rc < 0 ? rc : 0;
}

int
custom_take(struct custom_session *s, int rc, unsigned char *p, size_t n, const char *name, size_t max,
    struct buf *out, struct hf_error *err)
{
	if (rc != 0) /* what it left in p is nobody's: it may never have been set */
		return err_set(
		    err, HF_ERR_KEY, "%s: %s() failed (it returned %d)", custom_name(s->lib), name, rc);
	if (!p)
		return custom_fail(s->lib, err, name, "claims success and hands out NULL");
	if (n == 0)
		rc = custom_fail(s->lib, err, name, "claims success and hands out no bytes");
	else if (n > max)
		rc = too_long(s, err, name, max);
	else
		rc = buf_put(out, p, n) < 0 ? err_memory(err) : 0;
	if (n > 0 && n <= max)
		OPENSSL_cleanse(p, n);
	free(p);
	return rc;
}
