/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A failure of libcrypto here can only be a lack of memory, which aborts as everywhere in base. */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/alloc.h"

struct hasher {
	EVP_MD_CTX *context;
};

struct hasher *hasher_new(void)
{
	struct hasher *h = xnew(struct hasher);

	h->context = EVP_MD_CTX_new();
	if (!h->context || EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) != 1)
		abort();
	return h;
}

void hasher_add(struct hasher *h, const void *data, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(h->context, data, n) != 1)
		abort();
}

void hasher_add_field(struct hasher *h, const char *s)
{
	uint64_t len = s ? strlen(s) : UINT64_MAX;
	unsigned char bytes[8];

	/* Byte by byte: the hash is kept in pinned metadata and must not depend on the machine. */
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(len >> (8 * i));
	hasher_add(h, bytes, sizeof(bytes));
	if (s)
		hasher_add(h, s, strlen(s));
}

void hasher_finish(struct hasher *h, char ret_hex[SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (EVP_DigestFinal_ex(h->context, sum, &n) != 1 || n != SHA256_SIZE)
		abort();
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		ret_hex[2 * i] = digits[sum[i] >> 4];
		ret_hex[2 * i + 1] = digits[sum[i] & 15];
	}
	ret_hex[2 * SHA256_SIZE] = '\0';
	EVP_MD_CTX_free(h->context);
	free(h);
}

void hash_bytes(const void *data, size_t n, char ret_hex[SHA256_HEX])
{
	struct hasher *h = hasher_new();

	hasher_add(h, data, n);
	hasher_finish(h, ret_hex);
}
