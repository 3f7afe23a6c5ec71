/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Characters of UTF-8 (RFC 3629), without the C library's locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the character at p and the character; 0 if the n > 0 bytes there are none. */
size_t utf8_decode(const char *p, size_t n, uint32_t *ret);

/* Whether a terminal shows it as it is: no control character and none that turns the direction. */
bool utf8_is_printable(uint32_t c);

/* Appends nothing but printable characters: a blank for a tab, '?' for everything else. */
struct strbuf;
void utf8_add_safe(struct strbuf *b, const char *text, size_t n);
