#define _GNU_SOURCE		    /* memfd_create */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>
#include <wslay/wslay.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>

#include "hsm_client_data.h"
#include "trip.h"
#include "vendor.h"

#define FRAMES	  12
#define MOST_FDS  256
#define MOST_POLL 20000

enum name {
#define CALL(type, name, params, args, failure)	  NAME_##name,
#define HAND(name)				  NAME_##name,
#define TPM(name, params, args, failure)	  NAME_##name,
#define FRAIL(type, name, params, args, failure)  NAME_##name,
#define TOKEN(name, params, args, failure)	  NAME_##name,
#define VENDOR(type, name, params, args, failure) NAME_##name,
#define SURE(name)
#include "calls.h"
	NAME_in_openssl,
	NAME_in_jansson,
	NAMES
#undef CALL
#undef HAND
#undef TPM
#undef FRAIL
#undef TOKEN
#undef VENDOR
};
static const char *const names[] = {
#define CALL(type, name, params, args, failure)	  #name,
#define HAND(name)				  #name,
#define TPM(name, params, args, failure)	  #name,
#define FRAIL(type, name, params, args, failure)  #name,
#define TOKEN(name, params, args, failure)	  #name,
#define VENDOR(type, name, params, args, failure) #name,
#include "calls.h"
	"malloc inside OpenSSL",
	"malloc inside jansson",
#undef CALL
#undef HAND
#undef TPM
#undef FRAIL
#undef TOKEN
#undef VENDOR
};

static const HSM_CLIENT_X509_V2_INTERFACE *vendor_x509(void);

struct trip trip = { .name = -1 };
static unsigned counts[NAMES], polls;
static int peer[MOST_FDS]; /* of a socket: the emulator's end, until it is connected; -1 */
static char is_event[MOST_FDS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int busy;			  /* the worker has something to do */
static _Thread_local int held, is_worker; /* the device's locks */
static _Thread_local int library;	  /* inside a library on the device's behalf */

const char *
trip_name(int name)
{
	return name < 0 ? "nothing" : names[name];
}

int
trip_is_inside(int name)
{
	return name == NAME_in_openssl;
}

int
trip_is_hardware(int name)
{
	return name >= NAME_p11_kit_config_option && name <= NAME_Tss2_MU_UINT32_Unmarshal;
}

int
trip_is_file(int name)
{
	return name >= NAME_open && name <= NAME_unlink;
}

static int
is_memory(int name)
{
	switch (name) {
	case NAME_malloc:
	case NAME_calloc:
	case NAME_realloc:
	case NAME_strdup:
	case NAME_strndup:
		return 1;
	default:
		return 0;
	}
}

void
trip_arm(int name, unsigned nth, int for_ever)
{
	trip.name = name;
	trip.nth = nth;
	trip.for_ever = for_ever;
	trip.injected = 0;
	trip.count = 0;
	trip.violation = NULL;
	memset(counts, 0, sizeof counts);
	polls = 0;
}

/* For what cannot go on. */
static void
stuck(const char *how)
{
	printf("%s: %s call %u, %s\n", how, trip_name(trip.name), trip.nth,
	    trip.for_ever ? "and ever after" : "once");
	fflush(stdout);
	abort();
}

static void
wait_for_worker(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	while (busy)
		if (pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT)
			stuck("the worker does not end");
}

void
trip_settle(void)
{
	pthread_mutex_lock(&lock);
	wait_for_worker();
	pthread_mutex_unlock(&lock);
}

static void
keep(int name)
{
	struct trip_call *c;
	void *frame[FRAMES];
	int n = backtrace(frame, FRAMES);
	uint64_t way = 14695981039346656037u;

	if (trip.count == trip.cap) {
		trip.cap = trip.cap == 0 ? 4096 : trip.cap * 2;
		trip.calls = realloc(trip.calls, trip.cap * sizeof *trip.calls);
	}
	for (int i = 0; i < n; i++)
		way = (way ^ (uintptr_t)frame[i]) * 1099511628211u;
	c = &trip.calls[trip.count++];
	*c = (struct trip_call){ name, counts[name], way };
}

static int
is_due(int name)
{
	static int memory_is_out;

	if (trip.for_ever && is_memory(trip.name) && is_memory(name)) {
		if (trip.injected == 0)
			memory_is_out = 0;
		memory_is_out |= name == trip.name && counts[name] == trip.nth;
		return memory_is_out;
	}
	return name == trip.name && (trip.for_ever ? counts[name] >= trip.nth : counts[name] == trip.nth);
}

/* A call of the device's. 1: it fails. */
static int
fails(int name)
{
	int due;

	pthread_mutex_lock(&lock);
	if (!is_worker && held == 0)
		wait_for_worker();
	counts[name]++;
	if (trip.keep)
		keep(name);
	due = is_due(name);
	trip.injected += (unsigned)due;
	pthread_mutex_unlock(&lock);
	if (due && trip.instead != NULL)
		trip.instead();
	return due;
}

static void
holds(int *what, int more)
{
	pthread_mutex_lock(&lock);
	*what += more;
	pthread_mutex_unlock(&lock);
}

void
trip_released(void)
{
	holds(&trip.memory, -1);
}

void
trip_given(void)
{
	holds(&trip.memory, 1);
}

static int
no(int code)
{
	errno = code;
	return -1;
}

static void *
no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static int
no_ssl(int r)
{
	ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
	return r;
}

static void *
no_ssl_memory(void)
{
	no_ssl(0);
	return NULL;
}

static TSS2_RC
no_tpm(void)
{
	return TSS2_ESYS_RC_MEMORY;
}

#define CALL(type, name, params, args, failure)                                                              \
	type trip_##name params;                                                                             \
	type trip_##name params                                                                              \
	{                                                                                                    \
		type r;                                                                                      \
                                                                                                             \
		if (fails(NAME_##name))                                                                      \
			return failure;                                                                      \
		library++;                                                                                   \
		r = name args;                                                                               \
		library--;                                                                                   \
		return r;                                                                                    \
	}
/* What OpenSSL does for the TSS, a token or a vendor is not the device's: when memory is out, it is they who leak. */
#define OTHERS(type, call, name, failure)                                                                    \
	int before = library;                                                                                \
	type r;                                                                                              \
                                                                                                             \
	if (fails(NAME_##name))                                                                              \
		return failure;                                                                              \
	library = 0;                                                                                         \
	r = call;                                                                                            \
	library = before;                                                                                    \
	return r;
#define TPM(name, params, args, failure)                                                                     \
	TSS2_RC trip_##name params;                                                                          \
	TSS2_RC trip_##name params                                                                           \
	{                                                                                                    \
		OTHERS(TSS2_RC, name args, name, failure)                                                    \
	}
#define FRAIL(type, name, params, args, failure)                                                             \
	type trip_##name params;                                                                             \
	type trip_##name params                                                                              \
	{                                                                                                    \
		OTHERS(type, name args, name, failure)                                                       \
	}
static CK_FUNCTION_LIST token, *real_token; /* the device's, and what is behind it */
#define TOKEN(name, params, args, failure)                                                                   \
	static CK_RV trip_##name params                                                                      \
	{                                                                                                    \
		OTHERS(CK_RV, real_token->name args, name, failure)                                          \
	}
#define VENDOR(type, name, params, args, failure)                                                            \
	static type trip_##name params                                                                       \
	{                                                                                                    \
		OTHERS(type, name args, name, failure)                                                       \
	}
#define HAND(name)
#include "calls.h"
#undef CALL
#undef HAND
#undef TPM
#undef FRAIL
#undef TOKEN
#undef VENDOR

/* memory */

static void *
got(void *p)
{
	if (p != NULL)
		holds(&trip.memory, 1);
	return p;
}

void *trip_malloc(size_t);
void *
trip_malloc(size_t n)
{
	return fails(NAME_malloc) ? no_memory() : got(malloc(n));
}

void *trip_calloc(size_t, size_t);
void *
trip_calloc(size_t n, size_t each)
{
	return fails(NAME_calloc) ? no_memory() : got(calloc(n, each));
}

void *trip_realloc(void *, size_t);
void *
trip_realloc(void *p, size_t n)
{
	if (fails(NAME_realloc))
		return no_memory();
	return p == NULL ? got(realloc(p, n)) : realloc(p, n);
}

char *trip_strdup(const char *);
char *
trip_strdup(const char *s)
{
	return fails(NAME_strdup) ? no_memory() : got(strdup(s));
}

char *trip_strndup(const char *, size_t);
char *
trip_strndup(const char *s, size_t n)
{
	return fails(NAME_strndup) ? no_memory() : got(strndup(s, n));
}

void trip_free(void *);
void
trip_free(void *p)
{
	if (p != NULL)
		holds(&trip.memory, -1);
	free(p);
}

static void *
openssl_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0 || (library > 0 && fails(NAME_in_openssl)))
		return no_memory();
	return malloc(n);
}

static void *
openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0) {
		free(p);
		return NULL;
	}
	return library > 0 && fails(NAME_in_openssl) ? no_memory() : realloc(p, n);
}

static void
openssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void *
jansson_malloc(size_t n)
{
	return library > 0 && fails(NAME_in_jansson) ? no_memory() : malloc(n);
}

int
trip_libraries(void)
{
	json_set_alloc_funcs(jansson_malloc, free);
	return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1 ? 0 : -1;
}

/* files */

static int
opened(int fd)
{
	if (fd >= MOST_FDS)
		stuck("too many descriptors");
	if (fd >= 0) {
		peer[fd] = -1;
		is_event[fd] = 0;
		holds(&trip.descriptors, 1);
	}
	return fd;
}

int trip_open(const char *, int, ...);
int
trip_open(const char *path, int flags, ...)
{
	va_list ap;
	int mode = 0, fd;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, int);
	va_end(ap);
	if (fails(NAME_open))
		return no(EMFILE);
	fd = opened(open(path, flags, mode));
	if (fd >= 0 && trip.disk != NULL)
		trip.disk->opened(fd, path, flags);
	return fd;
}

/* On Linux the descriptor is gone, whatever close() says. */
int trip_close(int);
int
trip_close(int fd)
{
	int bad = fails(NAME_close);

	holds(&trip.descriptors, -1);
	if (peer[fd] >= 0)
		close(peer[fd]);
	peer[fd] = -1;
	close(fd);
	return bad ? no(EIO) : 0;
}

/* An eventfd's counter cannot overflow: it counts jobs. */
ssize_t trip_read(int, void *, size_t);
ssize_t
trip_read(int fd, void *p, size_t n)
{
	return !is_event[fd] && fails(NAME_read) ? no(EIO) : read(fd, p, n);
}

/* The disk is full: a part may still have found room. */
ssize_t trip_write(int, const void *, size_t);
ssize_t
trip_write(int fd, const void *p, size_t n)
{
	if (is_event[fd])
		return write(fd, p, n);
	if (fails(NAME_write))
		return write(fd, p, n / 2) < 0 ? -1 : no(ENOSPC);
	if (trip.disk != NULL)
		trip.disk->wrote(fd, p, n);
	return write(fd, p, n);
}

int trip_fsync(int);
int
trip_fsync(int fd)
{
	if (fails(NAME_fsync))
		return no(EIO);
	if (trip.disk != NULL)
		trip.disk->synced(fd);
	return fsync(fd);
}

int trip_rename(const char *, const char *);
int
trip_rename(const char *from, const char *to)
{
	if (fails(NAME_rename))
		return no(EIO);
	if (trip.disk != NULL)
		trip.disk->renamed(from, to);
	return rename(from, to);
}

int trip_memfd_create(const char *, unsigned);
int
trip_memfd_create(const char *name, unsigned flags)
{
	return fails(NAME_memfd_create) ? no(EMFILE) : opened(memfd_create(name, flags));
}

int trip___isoc99_fscanf(FILE *, const char *, ...);
int
trip___isoc99_fscanf(FILE *f, const char *fmt, ...)
{
	va_list ap;
	int r;

	if (fails(NAME___isoc99_fscanf))
		return EOF;
	va_start(ap, fmt);
	r = vfscanf(f, fmt, ap);
	va_end(ap);
	return r;
}

/* the network */

int trip_socket(int, int, int);
int
trip_socket(int family, int kind, int protocol)
{
	int fds[2];

	(void)family;
	(void)protocol;
	if (fails(NAME_socket) || socketpair(AF_UNIX, kind, 0, fds) < 0)
		return no(EMFILE);
	opened(fds[0]);
	peer[fds[0]] = fds[1];
	return fds[0];
}

static int
serve(struct emu *m, int fd, uint16_t port)
{
	struct hf_error err = { 0 };
	struct stream *end;
	struct session *s;

	m->e.now = m->now;
	if (tcp_from_fd(&end, fd, "the device", &err) < 0 ||
	    tls_open(&end, m->tls, end, NULL, NULL, &err) < 0 ||
	    session_new(&s, &m->e, emu_kind(port), end, &err) < 0)
		stuck(err.text);
	return 0;
}

int trip_connect(int, const struct sockaddr *, socklen_t);
int
trip_connect(int fd, const struct sockaddr *at, socklen_t n)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)at;
	int theirs = peer[fd], before = library, r;

	(void)n;
	if (fails(NAME_connect))
		return no(ECONNREFUSED);
	if (theirs < 0)
		return no(EISCONN);
	peer[fd] = -1;
	library = 0;
	r = serve(trip.emu, theirs, ntohs(in->sin_port));
	library = before;
	return r;
}

/* Everything has two addresses. */
int trip_getaddrinfo(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int
trip_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
	int numeric = hints->ai_flags & AI_NUMERICHOST, r;

	if (fails(NAME_getaddrinfo))
		return EAI_AGAIN;
	r = getaddrinfo(numeric ? host : "127.0.0.1", port, hints, out);
	if (r == 0 && getaddrinfo("::1", port, hints, &(*out)->ai_next) != 0)
		(*out)->ai_next = NULL;
	return r;
}

/* waiting, threads, randomness */

int trip_clock_gettime(clockid_t, struct timespec *);
int
trip_clock_gettime(clockid_t which, struct timespec *t)
{
	const struct moment *now = &trip.emu->now;

	t->tv_sec = which == CLOCK_REALTIME ? now->wall : now->ms / 1000;
	t->tv_nsec = which == CLOCK_REALTIME ? 0 : now->ms % 1000 * 1000000;
	return 0;
}

int trip_epoll_create1(int);
int
trip_epoll_create1(int flags)
{
	return fails(NAME_epoll_create1) ? no(EMFILE) : opened(epoll_create1(flags));
}

/* Only what is new needs memory. */
int trip_epoll_ctl(int, int, int, struct epoll_event *);
int
trip_epoll_ctl(int e, int what, int fd, struct epoll_event *event)
{
	return what == EPOLL_CTL_ADD && fails(NAME_epoll_ctl) ? no(ENOMEM) : epoll_ctl(e, what, fd, event);
}

int trip_timerfd_create(int, int);
int
trip_timerfd_create(int clock, int flags)
{
	return fails(NAME_timerfd_create) ? no(EMFILE) : opened(timerfd_create(clock, flags));
}

int trip_eventfd(unsigned, int);
int
trip_eventfd(unsigned n, int flags)
{
	int fd = fails(NAME_eventfd) ? no(EMFILE) : opened(eventfd(n, flags));

	if (fd >= 0)
		is_event[fd] = 1;
	return fd;
}

ssize_t trip_getrandom(void *, size_t, unsigned);
ssize_t
trip_getrandom(void *p, size_t n, unsigned flags)
{
	(void)flags;
	if (fails(NAME_getrandom))
		return no(ENOSYS);
	memset(p, 0x5a, n);
	return (ssize_t)n;
}

static int
turn(void)
{
	int moved = 0;

	for (int i = 0; i < 3; i++)
		moved |= emu_turn(trip.emu);
	return moved;
}

/* Where the device would sleep, the world goes on. */
int trip_poll(struct pollfd *, nfds_t, int);
int
trip_poll(struct pollfd *p, nfds_t n, int ms)
{
	int bad = fails(NAME_poll), r;

	if (++polls > MOST_POLL)
		stuck("it does not end");
	while (turn())
		;
	if (bad) {
		emu_pass(trip.emu, 1);
		return no(ENOMEM);
	}
	r = poll(p, n, 0);
	if (r == 0 && ms < 0)
		stuck("it would sleep for ever");
	if (r == 0)
		emu_pass(trip.emu, ms);
	return r;
}

static void
set_busy(int on)
{
	pthread_mutex_lock(&lock);
	busy = on && trip.threads > 0;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

struct start {
	void *(*main)(void *);
	void *arg;
};

static void *
thread_main(void *arg)
{
	struct start s = *(struct start *)arg;
	void *r;

	free(arg);
	is_worker = 1;
	r = s.main(s.arg);
	holds(&trip.threads, -1);
	set_busy(0);
	return r;
}

int trip_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int
trip_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*main)(void *), void *arg)
{
	struct start *s;

	if (fails(NAME_pthread_create))
		return EAGAIN;
	s = malloc(sizeof *s);
	*s = (struct start){ main, arg };
	holds(&trip.threads, 1);
	set_busy(1);
	return pthread_create(id, attr, thread_main, s);
}

int trip_pthread_cond_signal(pthread_cond_t *);
int
trip_pthread_cond_signal(pthread_cond_t *c)
{
	set_busy(1);
	return pthread_cond_signal(c);
}

int trip_pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int
trip_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	if (is_worker)
		set_busy(0);
	return pthread_cond_wait(c, m);
}

int trip_pthread_mutex_lock(pthread_mutex_t *);
int
trip_pthread_mutex_lock(pthread_mutex_t *m)
{
	held++;
	return pthread_mutex_lock(m);
}

int trip_pthread_mutex_unlock(pthread_mutex_t *);
int
trip_pthread_mutex_unlock(pthread_mutex_t *m)
{
	held--;
	return pthread_mutex_unlock(m);
}

/* OpenSSL: of what can be set, most is but a field. */
long trip_SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
long
trip_SSL_CTX_ctrl(SSL_CTX *c, int what, long n, void *p)
{
	int can = what == SSL_CTRL_SET_MIN_PROTO_VERSION || what == SSL_CTRL_SET_MAX_PROTO_VERSION ||
		  what == SSL_CTRL_CHAIN_CERT;
	long r;

	if (can && fails(NAME_SSL_CTX_ctrl))
		return no_ssl(0);
	library++;
	r = SSL_CTX_ctrl(c, what, n, p);
	library--;
	return r;
}

/* Of a curve's name. */
EVP_PKEY *trip_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *, const char *, const char *, ...);
EVP_PKEY *
trip_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *l, const char *which, const char *type, ...)
{
	EVP_PKEY *key;
	va_list ap;

	if (fails(NAME_EVP_PKEY_Q_keygen))
		return no_ssl_memory();
	va_start(ap, type);
	library++;
	key = EVP_PKEY_Q_keygen(l, which, type, va_arg(ap, const char *));
	library--;
	va_end(ap);
	return key;
}

/* OpenSSL 3.0 loses a context's properties when memory runs out between them. So nothing fails inside. */
OSSL_LIB_CTX *trip_OSSL_LIB_CTX_new(void);
OSSL_LIB_CTX *
trip_OSSL_LIB_CTX_new(void)
{
	return fails(NAME_OSSL_LIB_CTX_new) ? no_ssl_memory() : OSSL_LIB_CTX_new();
}

/*
 * jansson 2.14 cannot be read with when memory is out: a token that does not fit its buffer any more is copied past the end
 * of it. So nothing fails inside.
 */

static json_t *
no_json(json_error_t *why)
{
	if (why == NULL)
		return NULL;
	memset(why, 0, sizeof *why);
	snprintf(why->text, sizeof why->text - 1, "out of memory");
	why->text[sizeof why->text - 1] = (char)json_error_out_of_memory;
	return NULL;
}

json_t *trip_json_loadb(const char *, size_t, size_t, json_error_t *);
json_t *
trip_json_loadb(const char *p, size_t n, size_t flags, json_error_t *why)
{
	return fails(NAME_json_loadb) ? no_json(why) : json_loadb(p, n, flags, why);
}

json_t *trip_json_loads(const char *, size_t, json_error_t *);
json_t *
trip_json_loads(const char *s, size_t flags, json_error_t *why)
{
	return fails(NAME_json_loads) ? no_json(why) : json_loads(s, flags, why);
}

json_t *trip_json_pack(const char *, ...);
json_t *
trip_json_pack(const char *fmt, ...)
{
	json_t *v;
	va_list ap;

	if (fails(NAME_json_pack))
		return NULL;
	va_start(ap, fmt);
	library++;
	v = json_vpack_ex(NULL, 0, fmt, ap);
	library--;
	va_end(ap);
	return v;
}

json_t *trip_json_sprintf(const char *, ...);
json_t *
trip_json_sprintf(const char *fmt, ...)
{
	json_t *v;
	va_list ap;

	if (fails(NAME_json_sprintf))
		return NULL;
	va_start(ap, fmt);
	library++;
	v = json_vsprintf(fmt, ap);
	library--;
	va_end(ap);
	return v;
}

/*
 * PKCS#11: the device has a table of ours. What SoftHSM and p11-kit do is their own; who loads twice gets the same module.
 */

static CK_FUNCTION_LIST *
real(CK_FUNCTION_LIST *m)
{
	return m == &token ? real_token : m;
}

static void
fill_token(void)
{
	token = *real_token;
#define CALL(type, name, params, args, failure)
#define HAND(name)
#define TPM(name, params, args, failure)
#define FRAIL(type, name, params, args, failure)
#define TOKEN(name, params, args, failure) token.name = trip_##name;
#define VENDOR(type, name, params, args, failure)
#include "calls.h"
}

CK_FUNCTION_LIST *trip_p11_kit_module_load(const char *, int);
CK_FUNCTION_LIST *
trip_p11_kit_module_load(const char *path, int flags)
{
	if (fails(NAME_p11_kit_module_load))
		return NULL;
	real_token = p11_kit_module_load(path, flags);
	if (real_token == NULL)
		return NULL;
	fill_token();
	return &token;
}

CK_RV trip_p11_kit_module_initialize(CK_FUNCTION_LIST *);
CK_RV
trip_p11_kit_module_initialize(CK_FUNCTION_LIST *m){ OTHERS(
    CK_RV, p11_kit_module_initialize(real(m)), p11_kit_module_initialize, CKR_HOST_MEMORY) }

/* These two give back, and cannot fail. */
CK_RV trip_p11_kit_module_finalize(CK_FUNCTION_LIST *);
CK_RV
trip_p11_kit_module_finalize(CK_FUNCTION_LIST *m)
{
	int before = library;
	CK_RV r;

	library = 0;
	r = p11_kit_module_finalize(real(m));
	library = before;
	return r;
}

void trip_p11_kit_module_release(CK_FUNCTION_LIST *);
void
trip_p11_kit_module_release(CK_FUNCTION_LIST *m)
{
	p11_kit_module_release(real(m));
}

/* Texts that the device frees. */
char *trip_p11_kit_config_option(CK_FUNCTION_LIST *, const char *);
char *
trip_p11_kit_config_option(CK_FUNCTION_LIST *m, const char *name)
{
	return fails(NAME_p11_kit_config_option) ? NULL : got(p11_kit_config_option(real(m), name));
}

int trip_p11_kit_uri_format(P11KitUri *, P11KitUriType, char **);
int
trip_p11_kit_uri_format(P11KitUri *u, P11KitUriType what, char **text)
{
	int r = fails(NAME_p11_kit_uri_format) ? P11_KIT_URI_UNEXPECTED : p11_kit_uri_format(u, what, text);

	if (r == P11_KIT_URI_OK)
		got(*text);
	return r;
}

/* the custom HSM that is linked in */

static const HSM_CLIENT_X509_V2_INTERFACE *
vendor_x509(void)
{
	static const HSM_CLIENT_X509_V2_INTERFACE table = { sizeof table, trip_vendor_create, vendor_destroy,
		trip_vendor_get_cert, trip_vendor_get_common_name, trip_vendor_get_public_key,
		trip_vendor_get_algorithms, trip_vendor_sign_digest, NULL };

	return &table;
}

int
trip_vendor(void)
{
	const struct hf_hsm_table table = {
		.size = sizeof table, .x509_init = trip_vendor_init, .x509_v2 = trip_vendor_x509
	};

	return device_hsm_link(&table);
}
