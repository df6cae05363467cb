#include <string.h>
#include "base/str.h"
#include "http/parse.h"

#define HEAD_MAX    32768
#define CHUNK_MAX   256 /* a chunk's size line */
#define TRAILER_MAX 8192

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

static int
is_token_char(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return 1;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static int
is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_token_char((uint8_t)s[i]))
			return 0;
	return n > 0;
}

static int
is_visible(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return 0;
	return n > 0;
}

static int
is_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((uint8_t)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return 0;
	return 1;
}

static int
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *
http_header(const struct http_message *m, const char *name)
{
	for (size_t i = 0; i < m->header_count; i++)
		if (str_eqi(m->header[i].name, name))
			return m->header[i].value;
	return NULL;
}

static size_t
count(const struct http_message *m, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < m->header_count; i++)
		n += str_eqi(m->header[i].name, name) != 0;
	return n;
}

static int
list_has(const char *s, const char *token)
{
	while (*s) {
		size_t n = strcspn(s, ","), end = n;

		while (end > 0 && is_blank(s[end - 1]))
			end--;
		if (str_eqin(token, s, end))
			return 1;
		s += n;
		s += strspn(s, ", \t");
	}
	return 0;
}

int
http_has(const struct http_message *m, const char *name, const char *token)
{
	for (size_t i = 0; i < m->header_count; i++)
		if (str_eqi(m->header[i].name, name) && list_has(m->header[i].value, token))
			return 1;
	return 0;
}

static int
has_no_body(int status)
{
	return status / 100 == 1 || status == 204 || status == 304;
}

static int
check_header(const struct http_header *h)
{
	if (!h->name || !h->value || !is_token(h->name, strlen(h->name)) ||
	    !is_text(h->value, strlen(h->value)))
		return HF_ERR_ARGS;
	return str_eqi(h->name, "Content-Length") || str_eqi(h->name, "Transfer-Encoding") ? HF_ERR_ARGS : 0;
}

static int
check_start(const struct http_message *m)
{
	if (!m->method)
		return m->status < 100 || m->status > 599 ||
			       (m->reason && !is_text(m->reason, strlen(m->reason)))
			   ? HF_ERR_ARGS
			   : 0;
	if (!m->target || !is_token(m->method, strlen(m->method)))
		return HF_ERR_ARGS;
	return is_visible(m->target, strlen(m->target)) ? 0 : HF_ERR_ARGS;
}

static int
check(const struct http_message *m)
{
	int rc = check_start(m);

	if (rc == 0 && (m->header_count > HTTP_HEADERS || (m->len > 0 && !m->body)))
		return HF_ERR_ARGS;
	for (size_t i = 0; rc == 0 && i < m->header_count; i++)
		rc = check_header(&m->header[i]);
	return rc;
}

static const char *
reason(const struct http_message *m)
{
	if (m->reason)
		return m->reason;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == m->status)
			return reasons[i].reason;
	return "";
}

static int
put_start(struct buf *b, const struct http_message *m)
{
	if (m->method)
		return buf_fmt(b, "%s %s HTTP/1.1\r\n", m->method, m->target);
	return buf_fmt(b, "HTTP/1.1 %d %s\r\n", m->status, reason(m));
}

/* A request without a body says so only where its method lets one expect a body. */
static int
put_length(struct buf *b, const struct http_message *m)
{
	if (m->method && m->len == 0 && strcmp(m->method, "POST") != 0 && strcmp(m->method, "PUT") != 0 &&
	    strcmp(m->method, "PATCH") != 0)
		return 0;
	return has_no_body(m->status) ? 0 : buf_fmt(b, "Content-Length: %zu\r\n", m->len);
}

static int
put_all(struct buf *b, const struct http_message *m, int how)
{
	int rc = put_start(b, m);

	for (size_t i = 0; rc == 0 && i < m->header_count; i++)
		rc = buf_fmt(b, "%s: %s\r\n", m->header[i].name, m->header[i].value);
	if (rc == 0 && (how & HTTP_LAST) && !http_has(m, "Connection", "close"))
		rc = buf_puts(b, "Connection: close\r\n");
	if (rc == 0)
		rc = put_length(b, m);
	if (rc == 0)
		rc = buf_puts(b, "\r\n");
	if (rc < 0 || m->len == 0 || has_no_body(m->status) || (how & HTTP_HEAD))
		return rc;
	return buf_put(b, m->body, m->len);
}

int
http_put_as(struct buf *b, const struct http_message *m, int how)
{
	size_t before = buf_size(b);
	int rc = check(m);

	if (rc < 0)
		return rc;
	rc = put_all(b, m, how);
	if (rc < 0)
		b->len = b->off + before;
	return rc;
}

int
http_put(struct buf *b, const struct http_message *m)
{
	return http_put_as(b, m, 0);
}

static int
refuse(struct http_parse *p, int status, const char *why)
{
	p->status = status;
	return err_set(p->err, HF_ERR_PROTOCOL, "the peer's HTTP %s is refused: %s",
	    p->server ? "request" : "response", why);
}

/* That is a matter of the line, not of what was said: another try may mend it. */
static int
cut_short(struct http_parse *p)
{
	p->status = 400;
	return err_set(p->err, HF_ERR_NET, "the connection ended in the middle of the peer's HTTP %s",
	    p->server ? "request" : "response");
}

/* The text of the line that ends at nl. */
static int
line_length(struct http_parse *p, const char *s, const char *nl, size_t *n)
{
	*n = (size_t)(nl - s);
	if (*n > 0 && s[*n - 1] == '\r') {
		--*n;
		return 0;
	}
	return p->server ? refuse(p, 400, "a line ends with a bare line feed") : 0;
}

static int
version_get(struct http_parse *p, const char *s, size_t n)
{
	if (n != 8 || memcmp(s, "HTTP/", 5) != 0 || s[5] < '0' || s[5] > '9' || s[6] != '.' || s[7] < '0' ||
	    s[7] > '9')
		return refuse(p, 400, "it is not HTTP/1.1 at all");
	if (s[5] != '1')
		return refuse(p, 505, "its version is not HTTP/1.x");
	p->minor = s[7] - '0';
	return 0;
}

static int
request_line(struct http_parse *p, char *s, size_t n)
{
	char *target, *version, *end = s + n, *space = memchr(s, ' ', n);

	if (!space || !is_token(s, (size_t)(space - s)))
		return refuse(p, 400, "its method is not legal");
	target = space + 1;
	version = memchr(target, ' ', (size_t)(end - target));
	if (!version || !is_visible(target, (size_t)(version - target)))
		return refuse(p, 400, "its target is not legal");
	*space = *version++ = '\0';
	p->message.method = s;
	p->message.target = target;
	return version_get(p, version, (size_t)(end - version));
}

static int
status_line(struct http_parse *p, char *s, size_t n)
{
	uint64_t status;
	int rc = version_get(p, s, n < 8 ? n : 8);

	if (rc < 0)
		return rc;
	if (n < 12 || s[8] != ' ' || (n > 12 && s[12] != ' ') || str_u64(s + 9, 3, 599, &status) < 0 ||
	    status < 100)
		return refuse(p, 0, "its status is not a number from 100 to 599");
	p->message.status = (int)status;
	p->message.reason = n > 12 ? s + 13 : s + 12;
	return is_text(s, n) ? 0 : refuse(p, 0, "its reason has a control character in it");
}

struct field {
	size_t name, value, end; /* offsets: where the name ends, where the value begins and ends */
};

static int
field_get(struct http_parse *p, const char *s, size_t n, struct field *f)
{
	const char *colon = memchr(s, ':', n);

	if (is_blank(*s))
		return refuse(p, 400, "a header is folded");
	if (!colon || !is_token(s, (size_t)(colon - s)))
		return refuse(p, 400, "a header's name is not legal");
	f->name = (size_t)(colon - s);
	f->value = f->name + 1;
	f->end = n;
	while (f->value < f->end && is_blank(s[f->value]))
		f->value++;
	while (f->end > f->value && is_blank(s[f->end - 1]))
		f->end--;
	if (!is_text(s + f->value, f->end - f->value))
		return refuse(p, 400, "a header's value has a control character in it");
	return 0;
}

static int
header_line(struct http_parse *p, char *s, size_t n)
{
	struct http_message *m = &p->message;
	struct field f;
	int rc = field_get(p, s, n, &f);

	if (rc < 0)
		return rc;
	if (m->header_count == HTTP_HEADERS)
		return refuse(p, 431, "it has more than 64 headers");
	s[f.name] = s[f.end] = '\0';
	m->header[m->header_count].name = s;
	m->header[m->header_count++].value = s + f.value;
	return 0;
}

static int
head_lines(struct http_parse *p)
{
	char *s = (char *)p->head.p + p->head.off, *end = s + buf_size(&p->head), *nl;
	size_t n;
	int rc, first = 1;

	for (; (nl = memchr(s, '\n', (size_t)(end - s))); s = nl + 1, first = 0) {
		rc = line_length(p, s, nl, &n);
		if (rc < 0 || n == 0)
			return rc;
		s[n] = '\0';
		if (!first)
			rc = header_line(p, s, n);
		else
			rc = p->server ? request_line(p, s, n) : status_line(p, s, n);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
content_length(struct http_parse *p, uint64_t *len)
{
	const struct http_message *m = &p->message;
	int found = 0;
	uint64_t n;

	for (size_t i = 0; i < m->header_count; i++) {
		const char *v = m->header[i].value;

		if (!str_eqi(m->header[i].name, "Content-Length"))
			continue;
		if (str_u64(v, strlen(v), UINT64_MAX, &n) < 0 || (found && n != *len))
			return refuse(p, 400, "its Content-Length is not one number");
		*len = n;
		found = 1;
	}
	return found;
}

static int
is_bodiless(const struct http_parse *p)
{
	if (p->server)
		return 0;
	return has_no_body(p->message.status) || (p->asked & HTTP_HEAD) ||
	       ((p->asked & HTTP_CONNECT) && p->message.status / 100 == 2);
}

/* How the body is delimited (RFC 9112, 6.3). What two readers could read in two ways is refused. */
static int
body_begin(struct http_parse *p)
{
	struct http_message *m = &p->message;
	const char *coding = http_header(m, "Transfer-Encoding");
	int sized = content_length(p, &p->left);

	if (sized < 0)
		return sized;
	if (coding && sized)
		return refuse(p, 400, "it has both Transfer-Encoding and Content-Length");
	if (coding && (p->minor == 0 || !str_eqi(coding, "chunked") || count(m, "Transfer-Encoding") > 1))
		return refuse(p, 400, "its Transfer-Encoding is not chunked alone");
	p->at = AT_DONE;
	if (is_bodiless(p))
		return 1;
	if (sized && p->left > p->max_body)
		return refuse(p, 413, "its body is too large");
	if (coding)
		p->at = AT_CHUNK;
	else if (sized && p->left > 0)
		p->at = AT_LENGTH;
	else if (!sized && !p->server) {
		p->at = AT_EOF;
		p->left = UINT64_MAX;
		m->keep = 0;
	}
	p->expect = p->server && p->minor > 0 && p->at != AT_DONE && http_has(m, "Expect", "100-continue");
	return 1;
}

/* The length of the head once all of it is there, else 0. Looks at each byte once. */
static size_t
head_size(struct http_parse *p, const struct buf *in)
{
	const char *s = (const char *)buf_data(in), *nl;

	while ((nl = memchr(s + p->scanned, '\n', buf_size(in) - p->scanned))) {
		const char *line = s + p->line;

		p->scanned = p->line = (size_t)(nl - s) + 1;
		if (nl == line || (nl == line + 1 && *line == '\r'))
			return p->scanned;
	}
	p->scanned = buf_size(in);
	return 0;
}

static int
head_get(struct http_parse *p, struct buf *in)
{
	size_t n = head_size(p, in);
	int rc;

	if (n > HEAD_MAX || (n == 0 && buf_size(in) > HEAD_MAX))
		return refuse(p, 431, "its head is longer than 32 KB");
	if (n == 0)
		return 0;
	if (n <= 2 && (!p->server || p->blank))
		return refuse(p, 400, "it begins with an empty line");
	if (buf_put(&p->head, buf_data(in), n) < 0)
		return err_memory(p->err);
	buf_eat(in, n);
	p->line = p->scanned = 0;
	rc = head_lines(p);
	if (rc < 0)
		return rc;
	if (n <= 2) {
		buf_clear(&p->head);
		p->blank = 1;
		return 1;
	}
	if (p->server && count(&p->message, "Host") != 1 &&
	    (p->minor > 0 || http_header(&p->message, "Host")))
		return refuse(p, 400, "it has no Host, or more than one");
	p->message.keep = p->minor > 0 && !http_has(&p->message, "Connection", "close");
	return body_begin(p);
}

static int
body_get(struct http_parse *p, struct buf *in)
{
	size_t n = buf_size(in);

	if (n > p->left)
		n = (size_t)p->left;
	if (n > p->max_body - buf_size(&p->body))
		return refuse(p, 413, "its body is too large");
	if (buf_put(&p->body, buf_data(in), n) < 0)
		return err_memory(p->err);
	buf_eat(in, n);
	p->left -= n;
	if (p->left == 0)
		p->at = p->at == AT_LENGTH ? AT_DONE : AT_CHUNK_END;
	return 1;
}

/* The next line of a chunked body, left where it is: *n bytes of text, *whole with its end. */
static int
line_get(struct http_parse *p, const struct buf *in, size_t max, size_t *n, size_t *whole)
{
	const char *s = (const char *)buf_data(in), *nl;
	size_t size = buf_size(in);
	int rc;

	nl = memchr(s, '\n', size < max ? size : max);
	if (!nl)
		return size < max ? 0 : refuse(p, 400, "a line in its chunked body is too long");
	*whole = (size_t)(nl - s) + 1;
	rc = line_length(p, s, nl, n);
	return rc < 0 ? rc : 1;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int
chunk_size(struct http_parse *p, const char *s, size_t n)
{
	size_t i = 0, limit = p->max_body - buf_size(&p->body);

	for (p->left = 0; i < n && hex_digit(s[i]) >= 0; i++) {
		p->left = p->left * 16 + (uint64_t)hex_digit(s[i]);
		if (p->left > limit)
			return refuse(p, 413, "its body is too large");
	}
	if (i == 0 || (i < n && s[i] != ';') || !is_text(s + i, n - i))
		return refuse(p, 400, "a chunk's size is not legal");
	return 0;
}

static int
chunk_get(struct http_parse *p, struct buf *in)
{
	size_t n, whole;
	int rc = line_get(p, in, CHUNK_MAX, &n, &whole);

	if (rc <= 0)
		return rc;
	rc = chunk_size(p, (const char *)buf_data(in), n);
	if (rc < 0)
		return rc;
	buf_eat(in, whole);
	p->at = p->left > 0 ? AT_CHUNK_DATA : AT_TRAILER;
	return 1;
}

static int
chunk_end(struct http_parse *p, struct buf *in)
{
	size_t n, whole;
	int rc = line_get(p, in, 2, &n, &whole);

	if (rc <= 0)
		return rc;
	if (n > 0)
		return refuse(p, 400, "a chunk is longer than it said");
	buf_eat(in, whole);
	p->at = AT_CHUNK;
	return 1;
}

/* Trailers are checked and let go. */
static int
trailer_get(struct http_parse *p, struct buf *in)
{
	size_t n, whole;
	struct field f;
	int rc = line_get(p, in, TRAILER_MAX - p->trailer, &n, &whole);

	if (rc <= 0)
		return rc;
	if (n > 0 && field_get(p, (const char *)buf_data(in), n, &f) < 0)
		return HF_ERR_PROTOCOL;
	buf_eat(in, whole);
	p->trailer += whole;
	if (n == 0)
		p->at = AT_DONE;
	return 1;
}

static int
step(struct http_parse *p, struct buf *in)
{
	if (buf_size(in) == 0)
		return 0;
	switch (p->at) {
	case AT_HEAD:
		return head_get(p, in);
	case AT_CHUNK:
		return chunk_get(p, in);
	case AT_CHUNK_END:
		return chunk_end(p, in);
	case AT_TRAILER:
		return trailer_get(p, in);
	default:
		return body_get(p, in);
	}
}

int
http_get(struct http_parse *p, struct buf *in, int eof)
{
	int rc = 1;

	while (rc > 0 && p->at != AT_DONE)
		rc = step(p, in);
	if (rc < 0)
		return rc;
	if (p->at == AT_HEAD && buf_size(in) == 0)
		return 0;
	if (p->at != AT_DONE && p->at != AT_EOF)
		return eof ? cut_short(p) : 0;
	if (p->at == AT_EOF && !eof)
		return 0;
	p->at = AT_DONE;
	p->message.len = buf_size(&p->body);
	p->message.body = p->message.len > 0 ? buf_data(&p->body) : NULL;
	return 1;
}

void
http_reset(struct http_parse *p)
{
	buf_clear(&p->head);
	buf_clear(&p->body);
	memset(&p->message, 0, sizeof p->message);
	p->at = AT_HEAD;
	p->blank = p->expect = 0;
	p->left = 0;
	p->trailer = p->line = p->scanned = 0;
}
