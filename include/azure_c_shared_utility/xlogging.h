/*
 * The log: LogInfo("%d devices", n). What the SDK-shaped functions have to say, and what the program says by these macros, goes to one
 * function, at first one that writes lines to stdout; no secrets are in it. With NO_LOGGING defined the macros do nothing.
 */
#ifndef AZURE_C_SHARED_UTILITY_XLOGGING_H
#define AZURE_C_SHARED_UTILITY_XLOGGING_H
#include <stddef.h>
#include <stdio.h>
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum LOG_CATEGORY_TAG { AZ_LOG_ERROR, AZ_LOG_INFO, AZ_LOG_TRACE } LOG_CATEGORY;

#define LOG_NONE	    0x00 /* `options`: the text goes on in the next call */
#define LOG_LINE	    0x01 /* it is a line */
#define TEMP_BUFFER_SIZE    1024
#define MESSAGE_BUFFER_SIZE 260

typedef void (*XLOGGING_LOGGER_LOG)(LOG_CATEGORY log_category, const char *file, const char *func, int line,
    unsigned int options, const char *format, ...);
typedef void (*LOGGER_LOG_GETLASTERROR)(
    const char *file, const char *func, int line, const char *format, ...);

/* Any thread may log at any time, so the function has to bear that. NULL: silence. */
void xlogging_set_log_function(XLOGGING_LOGGER_LOG log_function);
XLOGGING_LOGGER_LOG xlogging_get_log_function(void);
/* The bytes as hexadecimal lines with the comment before them, as AZ_LOG_TRACE. */
void LogBinary(const char *comment, const void *data, size_t size);

#define FUNC_NAME __func__
#if defined __GNUC__
#define STATIC_VAR_UNUSED __attribute__((unused))
#else
#define STATIC_VAR_UNUSED
#endif

#ifdef NO_LOGGING
#define LOG(category, options, ...)                                                                          \
	do {                                                                                                 \
	} while (0)
#else
#define LOG(category, options, ...)                                                                          \
	do {                                                                                                 \
		XLOGGING_LOGGER_LOG log_function_ = xlogging_get_log_function();                             \
		if (log_function_ != NULL)                                                                   \
			log_function_((category), __FILE__, FUNC_NAME, __LINE__, (options), __VA_ARGS__);    \
	} while (0)
#endif
#define LogInfo(...)	  LOG(AZ_LOG_INFO, LOG_LINE, __VA_ARGS__)
#define LogError(...)	  LOG(AZ_LOG_ERROR, LOG_LINE, __VA_ARGS__)
#define LogTrace(...)	  LOG(AZ_LOG_TRACE, LOG_LINE, __VA_ARGS__)
#define LogLastError(...) LogError(__VA_ARGS__)

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
