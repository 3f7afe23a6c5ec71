/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the files ask for: the merged declarations, in sort order of their names,
 * before they meet a node's interfaces. Everything points into the arena of one
 * configuration generation and is constant once built.
 */
#pragma once

#include "model/elf.h"
#include "model/names.h"
#include "model/value.h"

struct string_list {
	const char **v;
	size_t n;
};

struct xdp_settings {
	enum xdp_mode mode;
	enum mechanism mechanism;
	enum on_foreign on_foreign;
	bool exclusive;
};

struct tc_settings {
	enum tc_mechanism mechanism;
};

/* Keys AND, entries of a key's list OR; an empty list matches everything. */
struct interface_match {
	struct string_list names, drivers, macs, kinds;
	uint32_t *groups;
	size_t group_count;
	bool has_physical, physical;
};

struct interface_set {
	const char *name;
	struct origin origin;
	struct interface_match *select, *except;
	size_t select_count, except_count;
	const char *netns; /* normalised (config/config.h); NULL: the daemon's own */
	bool optional;
	bool has_xdp, has_tc;
	struct xdp_settings xdp; /* daemon-wide settings where has_xdp is false or a key is absent */
	struct tc_settings tc;   /* likewise */
};

struct label {
	const char *key, *value;
};

struct kernel_version {
	unsigned int major, minor, patch;
};

enum version_operator { VERSION_GE, VERSION_GT, VERSION_LE, VERSION_LT, VERSION_EQ };

struct kernel_constraint {
	enum version_operator operator;
	struct kernel_version version;
};

/* All parts that are present must hold. */
struct condition {
	bool present;
	struct origin origin;
	struct string_list hosts; /* globs, OR */
	struct label *labels;     /* AND */
	size_t label_count;
	struct kernel_constraint *kernels; /* AND: ">= 6.1, < 6.12" */
	size_t kernel_count;
	struct string_list archs;    /* OR */
	struct string_list features; /* AND */
};

struct global_decl {
	const char *name;
	struct origin origin;
	const struct value *value;
};

struct map_decl {
	const char *name;
	struct origin origin;
	uint32_t max_entries; /* 0: as in the ELF file */
	enum on_change on_change;
	struct origin on_change_origin;   /* line 0: not in the file */
	const char *use_object, *use_map; /* NULL: a map of its own */
	struct origin use_origin;
};

struct program_reference {
	const char *object, *program;
};

struct attach_decl {
	enum hook hook;
	struct origin origin;
	struct string_list interfaces; /* names, globs, "@set" */
	const char *
		netns; /* where names and globs are looked for (a set has its own), as in interface_set */
	enum tc_direction direction; /* of HOOK_TC */
	/* Not in the file: the program's .xdp_run_config decides, else the default that stands here. */
	bool has_priority, has_proceed_on;
	uint16_t priority;
	struct program_reference *before, *after;
	size_t before_count, after_count;
	uint32_t proceed_on; /* mask of the hook's verdicts */
	enum on_missing on_missing;
};

struct program_decl {
	const char *name; /* the C function */
	struct origin origin;
	struct attach_decl *attach;
	size_t attach_count;
};

/* The ELF file of an object as one read gave it. */
struct object_source {
	int code;                              /* 0 or -errno of reading or parsing it */
	const char *reason;                    /* CamelCase token when code < 0 */
	const char *message;                   /* sentence when code < 0 */
	const char *path;                      /* absolute */
	char sha256[65];                       /* of the content; "" when it could not be read */
	const struct elf_object *elf;          /* NULL when code < 0 */
	const struct object_source *last_good; /* what was good at this path last; NULL: not known */
};

/* A global variable's value as the bytes to put into its data section. */
struct global_value {
	const char *section; /* ".rodata", ".data.x" */
	uint32_t offset, size;
	const void *bytes;
};

struct object_decl {
	const char *name;
	struct origin origin;
	size_t file;      /* index into desired.files */
	const char *path; /* as written */
	struct origin path_origin;
	const char *sha256; /* lower case, NULL: any content */
	struct condition when;
	bool suspend;
	enum instances instances;
	struct global_decl *globals;
	struct map_decl *maps;
	struct program_decl *programs;
	size_t global_count, map_count, program_count;

	/* Filled once the ELF file was read (config/elfcheck.h): */
	const struct object_source *source;
	/* The file as it is now, if that cannot be used and source is its last good version; else NULL. */
	const struct object_source *present;
	const char *present_reason, *present_message; /* why it cannot */
	struct global_value *values;
	size_t value_count;
	const char *fault_reason,
		*fault_message; /* why it cannot be loaded as declared; NULL: it can be tried */
	struct origin fault_origin;
};

struct share_map {
	struct origin origin;
	const char *object; /* instance, as written: "fwd" or "fwd@eth0" */
	const char *map;
	const char *alias; /* never NULL: the map's name by default */
	const char *
		interface; /* whose map it is, for consumers that ask by interface; NULL: not said */
	enum access access;
	bool unsafe;
};

struct share_target {
	struct origin origin;
	enum target_type type;
	const char *path;         /* NULL: below the run directory */
	const char *user, *group; /* name or number; at most one decides the group, NULL: root */
	uint32_t mode;
};

struct share_decl {
	const char *name;
	struct origin origin;
	size_t file;
	struct share_map *maps;
	struct share_target *targets;
	size_t map_count, target_count;
};

enum file_state {
	FILE_APPLIED,
	FILE_INVALID,
	FILE_MASKED,
	FILE_IGNORED,
	FILE_REFUSED, /* trust rules */
	FILE_SKIPPED, /* all its objects' conditions do not hold */
	FILE_STATE_COUNT,
};
extern const char *const file_state_names[FILE_STATE_COUNT];

enum in_force { IN_FORCE_DECLARED, IN_FORCE_PREVIOUS, IN_FORCE_NONE, IN_FORCE_COUNT };
extern const char *const in_force_names[IN_FORCE_COUNT];

struct file_error {
	unsigned int line, column;  /* 0: the file as a whole */
	const char *message, *hint; /* hint may be NULL */
};

struct desired_file {
	const char *path;
	enum file_state state;
	enum in_force in_force;
	struct file_error *errors;
	size_t error_count;
};

struct desired {
	char generation[65];
	struct desired_file *files;
	struct interface_set *sets;
	struct object_decl *objects;
	struct share_decl *shares;
	size_t file_count, set_count, object_count, share_count;
};

/* bpfshared.yaml, with all defaults filled in. */
struct settings {
	struct label *labels;
	size_t label_count;
	struct string_list allowed_owners; /* names or numbers */
	struct xdp_settings xdp;
	struct tc_settings tc;
	uint32_t libxdp_protocol; /* 2 or 3: version of its dispatchers; 0: what this host's libxdp writes */
	uint32_t settle_ms, resync_s;
	uint32_t mass_removal_percent, mass_removal_least;
	const char *control_group;
	const char *log_level;
};

const struct object_decl *desired_find_object(const struct desired *d, const char *name);
const struct share_decl *desired_find_share(const struct desired *d, const char *name);
const struct interface_set *desired_find_set(const struct desired *d, const char *name);
