/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "config/utf8.h"

#include "base/str.h"

size_t utf8_decode(const char *p, size_t n, uint32_t *ret)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)p[0];
	size_t len;
	uint32_t c;

	if (first < 0x80) {
		*ret = first;
		return 1;
	}
	if (first < 0xc0 || first > 0xf7)
		return 0;
	len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (len > n)
		return 0;
	c = first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	}
	/* Overlong forms and surrogates are not UTF-8: two spellings of one text must not exist. */
	if (c < lowest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

bool utf8_is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
		return false;
	/* Line and paragraph separator, marks and embeddings of direction, byte order mark. */
	if (c == 0x061c || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e))
		return false;
	return !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

void utf8_add_safe(struct strbuf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		size_t len = utf8_decode(text + i, n - i, &c);

		if (len && utf8_is_printable(c))
			strbuf_addn(b, text + i, len);
		else
			strbuf_addc(b, c == '\t' ? ' ' : '?');
		i += len ? len : 1;
	}
}
