/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* An ELF file of BPF as a model value. Needs no privilege and makes no bpf() call. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "model/elf.h"

/*
 * data holds the file's bytes. -EINVAL with *ret_reason "NotElf", "NotBpf" or "ObjectInvalid";
 * the result and all it points to are from a.
 */
int elf_read(struct arena *a, const void *data, size_t size, struct elf_object **ret,
	     const char **ret_reason, struct error *e);
