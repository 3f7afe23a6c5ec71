/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Logging of recon, daemon and cli; the layers below return errors instead.
 * The level and the sink are the only globals of the tree besides the arguments.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

/* The numbers of syslog(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/*
 * Gets every line at or below the level, without control characters. The fields are extra
 * journal fields: NULL-terminated pairs "NAME", "value", or NULL for none.
 */
typedef void (*log_sink_fn)(enum log_level level, const char *const *fields, const char *text);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* Takes error, warning, notice, info or debug; -EINVAL for anything else. */
int log_level_parse(const char *s, enum log_level *ret);
void log_set_sink(log_sink_fn sink); /* NULL: stderr */

/* One line; leaves errno alone. */
void log_write(enum log_level level, const char *const *fields, const char *fmt, ...)
	printf_like(3, 4);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
