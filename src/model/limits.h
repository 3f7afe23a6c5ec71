/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Bounds on what others write. Each has a test at the limit and one beyond it. */
#pragma once

#define LIMIT_FILE_BYTES     (1024 * 1024)      /* one YAML file */
#define LIMIT_FILE_NODES     65536              /* scalars, lists and mappings in one file */
#define LIMIT_DEPTH          32                 /* nesting of one file */
#define LIMIT_KEY_BYTES      320                /* one key of a mapping */
#define LIMIT_FILES          4096               /* configuration files over all directories */
#define LIMIT_NAME           63                 /* objects, shares, interface sets, aliases */
#define LIMIT_OBJECTS        4096               /* over all files; likewise shares and sets */
#define LIMIT_OBJECT_BYTES   (64 * 1024 * 1024) /* one ELF file */
#define LIMIT_PROGRAMS       1024               /* programs or maps of one ELF file */
#define LIMIT_VARIABLE_BYTES (64 * 1024)        /* one global variable */
#define LIMIT_DIAGS          100                /* messages kept for one file */
#define LIMIT_CHAIN_TAILCALL 16 /* members of one chain; tail calls share a budget of 33 */
#define LIMIT_CHAIN_LIBXDP   10 /* the protocol's own */
#define LIMIT_CHAIN_TCX      63 /* one TCX list: BPF_MPROG_MAX, one of which the kernel keeps free */
/*
 * Our filters of clsact: a preference that neither people nor tools are likely to choose (automatic
 * ones go down from 49152), the same on all interfaces.
 */
#define TC_FILTER_PRIORITY 0x7bf0
#define TC_FILTER_HANDLE   1
#define LIMIT_META_BYTES   (64 * 1024) /* payload of one metadata map */
#define LIMIT_LOG_BYTES    (64 * 1024) /* kept end of one verifier log */
