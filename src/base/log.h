/* A line for people, when somebody listens. Secrets never come here. */
#ifndef BASE_LOG_H
#define BASE_LOG_H
struct log {
	void (*fn)(void *ctx, const char *line); /* NULL: silent */
	void *ctx;
};
void log_line(const struct log *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
