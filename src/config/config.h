/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From the bytes of configuration files to one desired state. Pure: who reads the
 * files (kern/source.h) and who keeps last good versions (recon) is not known here.
 *
 *   text of a file --config_parse--> fragment with diagnostics
 *   fragments      --config_merge--> struct desired, names with one owner each
 *   desired + ELF  --config_judge--> object_decl.values and .fault_*
 */
#pragma once

#include "base/str.h"
#include "config/diag.h"
#include "model/desired.h"

/*
 * One file's declarations. valid: no error among its diagnostics; an invalid one takes no part
 * in a merge.
 */
struct fragment {
	const char *path;
	bool valid;
	struct diags diags;
	struct interface_set *sets;
	struct object_decl *objects;
	struct share_decl *shares;
	size_t set_count, object_count, share_count;
};

/*
 * Parses one file of the configuration language (version 1). defaults (NULL: the built-in ones)
 * gives what an interface set's `xdp` mapping leaves out. Everything is reported in one run; the
 * result is never NULL. text need not end in NUL; the declarations do not point into it, but
 * diagnostics that are added later, by a merge, still show its lines.
 */
struct fragment *config_parse(struct arena *a, const char *path, const char *text, size_t size,
			      const struct settings *defaults);

/*
 * bpfshared.yaml; text NULL: all defaults. false when this text is in error, which diags says; ret
 * is then the defaults with whatever could be understood.
 */
bool config_parse_settings(struct arena *a, const char *path, const char *text, size_t size,
			   struct settings *ret, struct diags *diags);

/* Who had a name before this merge: a running owner keeps it until its file releases it. */
struct name_owner {
	enum name_kind { NAME_OBJECT, NAME_SHARE, NAME_SET } kind;
	const char *name, *path;
};

/*
 * Merges the valid fragments, in the order given (sort order of the file names); a NULL one is
 * skipped. The second claimant of a name, or of the path of a target, gets a diagnostic naming
 * both files and its whole file is left out (valid = false), since half a file is never applied. The
 * declarations' `file` is the index of their fragment; ret->files and ret->generation are the
 * caller's. References between files that lead nowhere are no error of a file: see config_judge.
 */
void config_merge(struct arena *a, struct fragment *const *fragments, size_t n,
		  const struct name_owner *owners, size_t owner_count, struct desired *ret);

/*
 * Judges every object against its ELF file: functions, types for the hook, globals by BTF, maps,
 * `maps.use`; sets values and fault_* (the first fault of an object). Where source is NULL only
 * what refers to other declarations is judged: sets, objects, maps, and the order of attachments
 * as far as it is certain without a node. What shares refer to is reported and changes nothing.
 *
 * Each fault is also reported into diags (may be NULL) as "Token: what", for `bpfsharectl check`;
 * with its line, if diags_add_text() made the texts of the files known. Tokens: that of the
 * source, Sha256Mismatch, NoSuchProgram, WrongProgramType, NoSuchVariable, NoBtf, BadGlobal,
 * NoSuchMap, BadMaxEntries, MapMismatch, NoSuchObject, UseCycle, PerDeviceMap, NoSuchSet,
 * OrderCycle; of shares also UnsafeMap.
 */
void config_judge(struct arena *a, struct desired *d, struct diags *diags);

/* The merged state as canonical YAML, which parses to itself. */
void config_dump(const struct desired *d, struct strbuf *out);
