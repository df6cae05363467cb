#include <string.h>
#include "api.h"
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"

#define PAGE	 100
#define PAGE_MAX 1000
#define BULK_MAX 10

/* A page while it is filled. One row more than it holds is asked for: that says whether there is another page. */
struct page {
	struct call *c;
	json_t *list;
	uint64_t most;
	char after[129]; /* the last id that is in it */
	int more, records;
};

/* A continuation is the last page's last id, in base64. */
static int
read_continuation(struct call *c, struct page *p)
{
	const char *said = http_header(c->m, "x-ms-continuation");
	struct buf b = { 0 };
	int ok;

	if (!said)
		return 0;
	ok = b64_get(&b, said, strlen(said)) == 0 && buf_size(&b) > 0 &&
	     str_copy(p->after, sizeof p->after, buf_data(&b), buf_size(&b)) == 0 &&
	     str_is_registration_id(p->after);
	buf_free(&b);
	return ok ? 0 : refuse(&c->err, API_INVALID, "x-ms-continuation is not one of ours");
}

static int
read_size(struct call *c, struct page *p)
{
	const char *said = http_header(c->m, "x-ms-max-item-count");

	p->most = PAGE;
	if (!said)
		return 0;
	if (str_u64(said, strlen(said), UINT32_MAX, &p->most) < 0 || p->most == 0)
		return refuse(
		    &c->err, API_INVALID, "x-ms-max-item-count is %.40s, not a number from 1", said);
	if (p->most > PAGE_MAX)
		p->most = PAGE_MAX;
	return 0;
}

/* "*", or SELECT * FROM something: all. */
static int
is_for_all(const char *query)
{
	static const char words[] = "select*from";
	size_t n;

	query += strspn(query, " \t\r\n");
	if (strcmp(query, "*") == 0)
		return 1;
	for (n = 0; words[n]; query++) {
		if (*query == ' ' || *query == '\t')
			continue;
		if (!str_eqin((const char[]){ words[n++], '\0' }, query, *query != '\0'))
			return 0;
	}
	query += strspn(query, " \t\r\n");
	query += strcspn(query, " \t\r\n;");
	return query[strspn(query, " \t\r\n;")] == '\0';
}

static int
read_query(struct call *c)
{
	json_t *body = api_body(c, "the query");
	const char *query = js_str(body, "query", NULL);
	int r = 0;

	if (!body)
		return c->err.code;
	if (!query)
		r = refuse(&c->err, API_INVALID, "the body has no \"query\"");
	else if (!is_for_all(query))
		r = refuse(
		    &c->err, API_INVALID, "the query '%.200s' is not SELECT * FROM enrollments", query);
	json_decref(body);
	return r;
}

static int
add(void *ctx, const char *id, const json_t *stored)
{
	struct page *p = ctx;
	json_t *shown;

	if (json_array_size(p->list) == p->most) {
		p->more = 1;
		return 1;
	}
	shown = p->records ? api_show_record(stored) : api_show(p->c, id, stored);
	str_fmt(p->after, sizeof p->after, "%s", id);
	if (json_array_append_new(p->list, shown) < 0)
		return err_memory(&p->c->err) < 0;
	return 0;
}

static int
finish(struct call *c, struct page *p)
{
	struct buf b = { 0 };
	int r = 0;

	if (p->more && (b64_put(&b, p->after, strlen(p->after)) < 0 || !buf_str(&b)))
		r = err_memory(&c->err);
	else if (p->more)
		str_fmt(c->reply->continuation, sizeof c->reply->continuation, "%s", buf_str(&b));
	c->reply->item_type = p->records ? "DeviceRegistration" : c->group ? "EnrollmentGroup" : "Enrollment";
	c->reply->status = 200;
	c->reply->body = json_incref(p->list);
	buf_free(&b);
	return r;
}

static int
query(struct call *c, int records)
{
	struct page p = { .c = c, .list = json_array(), .records = records };
	struct registry *all = c->e->registry;
	char after[129];
	int r = p.list ? read_query(c) : err_memory(&c->err);

	if (r == 0)
		r = read_size(c, &p);
	if (r == 0)
		r = read_continuation(c, &p);
	memcpy(after, p.after, sizeof after);
	if (r == 0 && records)
		r = registry_registration_page(all, c->id, after, (int)p.most + 1, add, &p, &c->err);
	else if (r == 0)
		r = registry_enrollment_page(all, c->group, after, (int)p.most + 1, add, &p, &c->err);
	if (r == 0 && c->err.code == 0)
		r = finish(c, &p);
	json_decref(p.list);
	return c->err.code;
}

int
api_query_enrollments(struct call *c)
{
	return query(c, 0);
}

int
api_query_registrations(struct call *c)
{
	json_t *group = NULL;
	int r = api_find(c, &group);

	json_decref(group);
	return r < 0 ? r : query(c, 1);
}

enum mode { CREATE, UPDATE, UPDATE_IF_MATCH, DELETE, MODES };
static const char *const modes[MODES] = { "create", "update", "updateIfMatchETag", "delete" };

static enum mode
mode_of(const json_t *body)
{
	const char *said = js_str(body, "mode", "");
	int i = 0;

	while (i < MODES && !str_eqi(modes[i], said))
		i++;
	return (enum mode)i;
}

static const char *
name_of_id(const struct call *c)
{
	return c->group ? "enrollmentGroupId" : "registrationId";
}

/* What the mode wants of what is stored. */
static int
check_mode(struct call *c, enum mode mode, const json_t *item, const json_t *old)
{
	const char *etag = js_str(item, "etag", NULL);

	if (mode == CREATE)
		return old ? refuse(&c->err, API_EXISTS, "Enrollment already exists: '%s'", c->id) : 0;
	if (!old)
		return refuse(
		    &c->err, API_NOT_FOUND, "there is no enrollment%s '%s'", c->group ? " group" : "", c->id);
	if (mode != UPDATE_IF_MATCH)
		return 0;
	if (!etag)
		return refuse(
		    &c->err, API_INVALID, "'%s' comes without the etag that is to be matched", c->id);
	if (!etag_matches(js_str(old, "etag", ""), etag))
		return refuse(&c->err, API_STALE, "Precondition failed: '%s' has another etag", c->id);
	return 0;
}

static int
do_one(struct call *c, enum mode mode, const json_t *item)
{
	json_t *old = NULL, *fresh = NULL;
	int r;

	if (str_fmt(c->id, sizeof c->id, "%s", js_str(item, name_of_id(c), "")) < 0 || *c->id == '\0')
		return refuse(&c->err, API_INVALID, "an enrollment without %s", name_of_id(c));
	r = registry_enrollment(c->e->registry, c->group, c->id, &old, &c->err);
	if (r >= 0)
		r = check_mode(c, mode, item, old);
	if (r == 0 && mode == DELETE)
		r = api_remove(c);
	else if (r == 0)
		r = api_store(c, item, old, &fresh);
	json_decref(old);
	json_decref(fresh);
	return r < 0 ? r : 0;
}

/* An item that is refused is named and left out; the others count. */
static int
do_all(struct call *c, enum mode mode, const json_t *items, json_t *errors)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		if (do_one(c, mode, item) == 0)
			continue;
		if (c->err.service == 0)
			return c->err.code;
		if (json_array_append_new(
			errors, json_pack("{s:s, s:i, s:s}", name_of_id(c), c->id, "errorCode",
				    c->err.service, "errorStatus", c->err.text)) < 0)
			return err_memory(&c->err);
		err_clear(&c->err);
	}
	return 0;
}

int
api_bulk(struct call *c)
{
	const char *name = c->group ? "enrollmentGroups" : "enrollments";
	json_t *body = api_body(c, "the bulk operation"), *errors = json_array();
	const json_t *items = js_get(body, name);
	size_t count = json_array_size(items);
	enum mode mode = mode_of(body);
	int r = body ? 0 : c->err.code;

	if (r == 0 && mode == MODES)
		r = refuse(&c->err, API_INVALID,
		    "mode is '%.40s', not create, update, updateIfMatchETag or delete",
		    js_str(body, "mode", ""));
	else if (r == 0 && (count == 0 || count > BULK_MAX))
		r = refuse(&c->err, API_INVALID, "%s has %zu entries, not 1 to %d", name, count, BULK_MAX);
	if (r == 0)
		r = do_all(c, mode, items, errors);
	if (r == 0) {
		c->reply->status = 200;
		c->reply->body =
		    json_pack("{s:b, s:O}", "isSuccessful", json_array_size(errors) == 0, "errors", errors);
	}
	json_decref(body);
	json_decref(errors);
	return r;
}
