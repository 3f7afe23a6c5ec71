/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The parts of the plan and what they hand to each other. One struct planner lives
 * for one comparison; every step reads what the steps before it found and adds its own:
 *
 *   lookup.c     indexes over the observation
 *   select.c     interface sets, selectors, settings of an interface
 *   live.c       what each interface runs now, and whose it is
 *   resolve.c    declarations -> objects, instances, attachments (when.c: `when`)
 *   version.c    which version of each instance will be in force (load.c: the loads; take_over.c: how their
 *                maps come by their contents; dropped.c: those that the new file lacks; follow.c: who moves
 *                along to another map)
 *   protocol.c   the same of dispatchers by libxdp's protocol; their pins
 *   chain.c      the slots that each interface should have (order.c: their order)
 *   mechanism.c  by which mechanism (run_priority.c: numbers that libxdp sorts by)
 *   dispatch.c   slots -> edits of live dispatchers, new dispatchers
 *   root.c       what becomes the root of each interface
 *   tc.c         the same for tc: what every direction of an interface runs and should run
 *                (tc_place.c: the operations, tc_status.c: what is told of it)
 *   share.c      shares -> mounts and pins (share_pins.c: which maps, for whom)
 *   remove.c     what nothing needs any more (netns.c: of records of namespaces)
 *   recover.c    pins that were lost and are made again
 *   kept.c       what stays as it ran though no declaration can make it again
 *   guard.c      what waits for the operator's word (held.c: and is part of what is wanted until then)
 *   status.c     the status of everything (status_chain.c: of the chains)
 *
 * Everything comes from the planner's arena and never moves.
 */
#pragma once

#include "plan/plan.h"
#include "plan/reason.h"

struct hasher;

/* An operation on its way into the plan; needs become indices once all are sorted. */
struct draft {
	struct op op;
	LIST(struct draft *) needs;
	/* Of a load: those without which nothing of it may be put in force. */
	LIST(struct draft *) followers;
	unsigned int rank; /* within its kind, before the key */
	bool confirm;      /* takes a detach: only with the operator's word */
	bool held;         /* guard.c: waits for it */
	size_t index;      /* in the finished plan */
};

/* --- what runs now ------------------------------------------------------- */

/*
 * One program that an interface runs, by the root or a slot of its dispatcher. Of a foreign one,
 * which only a dispatcher by libxdp's protocol can have: instance "", the name of its function, its run
 * priority and all 31 bits of its actions.
 */
struct live_member {
	const char *instance, *program;
	uint32_t id;                           /* 0: the slot is empty */
	const struct observed_object *version; /* which has it pinned; NULL: none any more */
	uint32_t priority;
	uint32_t proceed_on;
	bool required;
	bool foreign, frags;
	uint32_t foreign_id; /* also where its link is lost; 0: nothing has it any more */
	bool lone;           /* by itself: nothing tells its priority, nor whether it is required */
};

enum live_kind {
	LIVE_NONE,
	LIVE_DIRECT, /* a program of ours is the root */
	LIVE_CHAIN,  /* a dispatcher of ours is */
	LIVE_PROTOCOL, /* a dispatcher by libxdp's protocol that is not, or no more, known by our pins */
	LIVE_LOST,    /* ours by its mark, but its pins are gone: nothing more is known of it */
	LIVE_FOREIGN, /* someone else's program */
	LIVE_NEWER,   /* made by a newer layout: as good as foreign */
};

struct live {
	enum live_kind kind;
	struct dispatcher *dispatcher; /* LIVE_CHAIN; LIVE_PROTOCOL: what is left of our pins */
	const struct observed_dispatch *dispatch; /* of any dispatcher by libxdp's protocol */
	const struct observed_link *link;         /* NULL: attached by netlink */
	struct live_member *members;
	size_t member_count;
};

/* --- what is declared, on this node -------------------------------------- */

enum standing {
	STANDING_ACTIVE,
	STANDING_SKIPPED,     /* its `when` does not hold */
	STANDING_SUSPENDED,   /* nothing of it changes */
	STANDING_ORPHANED,    /* its file is invalid and not known otherwise: likewise */
	STANDING_UNCONFIRMED, /* undeclared, but the mass-removal guard keeps it: likewise */
};

struct object {
	const char *name;
	const struct object_decl *decl; /* NULL: orphaned or unconfirmed */
	enum standing standing;
	const char *skipped; /* which part of `when` does not hold */
	LIST(struct attachment *) attachments;
	LIST(struct instance *) instances;
};

struct instance {
	struct object *object;
	const char *name;
	const struct observed_interface *interface; /* of an instance per interface */
	bool frozen;                                /* suspended, orphaned or unconfirmed */
	const struct observed_object *versions;     /* of it in the kernel, in a row */
	size_t version_count;
	enum { UNRESOLVED, RESOLVING, RESOLVED } progress;

	/* In force after this plan: loaded by it, or as observed; version NULL: none. */
	const char *version;
	const struct observed_object *observed;
	struct draft *load;
	bool declared;                          /* it is the declared version */
	bool looked_back;                       /* previous and source are known */
	const struct observed_object *previous; /* what serves until the declared one is loaded */
	const char *
		hold; /* why it stays at that (sentence): others could not move along; NULL: nothing */
	const struct observed_object *source; /* whose maps a new version takes over, NULL: none */
	unsigned int rank;                    /* 0: uses nobody's maps, 1: those of rank 0, … */
	struct condition_status condition;
	const char *log;
	LIST(struct attachment *) attachments;
};

/* One program at one interface, or a selector that matches nothing. */
struct attachment {
	struct object *object;
	struct instance *instance; /* NULL without an interface */
	const struct program_decl *program;
	const struct attach_decl *decl;
	const char *selector;
	const struct observed_interface *interface; /* NULL: no such interface yet */
	uint32_t priority,
		proceed_on;  /* effective: of the file, of the program's run config, default */
	struct chain *chain; /* NULL: no such interface yet */
	struct slot *slot;   /* in the wanted chain; NULL: left out */
	const struct live_member *live; /* the same program, running there now */
	int position;                   /* in the live chain, -1: not in it */
	bool per_device;                /* refused for a per-device map */
	bool settled;                   /* condition is final */
	struct condition_status condition;
};

/* --- what should run ------------------------------------------------------ */

struct slot {
	const char *object, *instance, *program;
	const char *version; /* NULL: empty, foreign, or running without a pin */
	/* In the form that the chain's mechanism takes; 0: empty or loaded by this plan. */
	uint32_t id;
	struct draft *load;   /* of that form */
	bool lacks_extension; /* it is to be loaded in its other form */
	bool foreign;
	uint32_t run_priority; /* WANT_LIBXDP */
	bool displaced;        /* a foreign member goes before it against the order asked for */
	uint32_t priority;
	uint32_t proceed_on;
	bool required, frags;
	bool unranked; /* of no known priority: it stays behind what runs ahead of it */
	const char *
		behind; /* what it ran right behind when it was held, "INSTANCE/PROGRAM"; or NULL */
	enum on_missing on_missing;
	struct attachment *attachment; /* NULL: no file declares it */
	const struct live_member *live;
};

/* A dispatcher that is there, and what this plan makes of it. */
struct dispatcher {
	const struct observed_chain *observed;
	struct live_member *members; /* by slot */
	size_t member_count;
	LIST(struct chain *) users; /* interfaces that run it */
	const struct chain *taker;  /* the last that is to run it, if it was looked at yet */
	const struct slot *slots;   /* after the edits of this plan; NULL: as observed */
	LIST(struct draft *) edits;
	LIST(struct draft *) leaving; /* what takes it away where no chain's root does */
	bool needed;
	struct draft *removal;
};

/* A dispatcher that this plan builds, or would but for a failure. */
struct build {
	const char *signature;
	const struct chain *chain; /* the first one that wants it */
	const struct slot *slots;
	size_t slot_count;
	enum hook hook;
	const char *first; /* key of the first chain that wants it */
	size_t users;
	struct draft *draft;
	const struct failure *failure;
};

enum want {
	WANT_AS_IS, /* something forbids a change, or nothing here is ours */
	WANT_CLEAR,
	WANT_DIRECT,
	WANT_TAILCALL,
	WANT_LIBXDP,
};

/* The chain of one interface; for tc, of one direction of it. */
struct chain {
	enum hook hook;
	enum tc_direction direction; /* of HOOK_TC */
	const struct observed_interface *interface;
	size_t index; /* of the interface */
	struct xdp_settings settings;
	struct live live;
	LIST(struct attachment *) attachments;

	enum want want;
	struct slot *slots;
	size_t slot_count;
	bool frags;
	uint32_t protocol;     /* WANT_LIBXDP: version of the dispatcher's structure */
	bool replaces_foreign; /* members that are not ours go (on_foreign: replace) */
	/* Why `auto` did not take libxdp. */
	const char *mechanism_reason, *mechanism_message;
	bool halted;    /* it stays as it is, as a whole, until its declarations can be had */
	bool reordered; /* members that stay change places */
	const char *signature;
	bool suffices; /* another daemon's dispatcher is there and does all that is wanted */
	struct dispatcher *dispatcher; /* the target: one that is there, … */
	struct build *build;           /* … or one to be built; neither: slots[0] */
	struct draft *root;            /* swaps, attaches or clears the root */
	bool needs_confirm;
	const struct failure *failure; /* why root was not planned */
	struct draft *pins;            /* makes pins of libxdp's protocol that are missing */
	const struct failure *pins_failure;
};

/* --- tc ---------------------------------------------------------------------- */

/* One entry of the TCX list, or one filter of clsact. */
struct tc_entry {
	enum mechanism mechanism; /* MECHANISM_TCX or MECHANISM_CLSACT */
	const struct observed_tc_program *observed;
	size_t index;                        /* in its list */
	bool ours;                           /* else it is nobody's business here */
	bool pinned;                         /* TCX: its link is; filters always */
	struct dispatcher *dispatcher;       /* it runs a dispatcher of ours, … */
	const struct program_entry *program; /* … or a program of ours; neither: its pins are gone */
	struct live_member *members; /* what that runs: a part of the chain's live members */
	size_t member_count;
	int position;        /* of its first member among all that runs there, whosever it is */
	bool stays;          /* as it is, or with draft */
	struct draft *draft; /* puts something else there or takes it away */
};

/* One wanted slot where each member has a link of its own. */
struct tc_member {
	struct tc_entry *entry; /* its link now, NULL: none yet */
	struct draft *draft;    /* makes it, or puts the wanted version there */
	const struct failure *failure;
};

/* One direction of one interface. */
struct tc_chain {
	struct chain chain; /* want: WANT_DIRECT where each member stands for itself */
	const struct observed_tc *observed; /* NULL: nothing is known of it */
	struct tc_entry *entries;           /* in order of execution: the TCX list, then filters */
	size_t entry_count;
	enum tc_mechanism setting;
	enum mechanism mechanism;  /* wanted; MECHANISM_AUTO: none is to be had */
	struct tc_member *members; /* by slot */
	bool reordered;            /* links would have to change places */
	/* While operations are drafted: */
	struct draft *last;  /* that attaches something here */
	unsigned int drafts; /* so many */
	uint64_t revision;   /* of the TCX list after them; 0: not known */
};

struct set_state {
	const struct interface_set *decl;
	bool *selects; /* by index of the interface */
	size_t matches;
	const char *absent; /* why its namespace is not there (sentence); NULL: it is */
	const struct interface_set *conflict; /* another set holds some interface */
	const char *conflict_interface;
	enum hook conflict_hook;
};

/* --- shares ---------------------------------------------------------------- */

struct wanted_pin {
	const struct share_map *decl;
	struct map_ref map; /* instance NULL: not to be had now, an old pin stays */
	uint32_t id;        /* 0: made by this plan */
	struct draft *load; /* of the version that has it by then, NULL: it has it now */
	uint32_t mode;
};

struct target_state {
	const struct share_target *decl;
	const char *path;
	gid_t gid;
	const struct observed_mount *mount; /* ours for this target, NULL: none */
	struct condition_status condition;
};

struct share_state {
	const struct share_decl *decl;
	LIST(struct wanted_pin) pins;
	bool read_only;
	bool publishes;               /* some map of it is there or may still come */
	struct condition_status maps; /* of the worst of its maps */
	struct target_state *targets;
};

struct target_entry {
	struct share_state *share;
	struct target_state *target;
};

/* What becomes of a map that a share holds: draft replaces its pin, NULL: it stays. */
struct pin_fate {
	uint32_t map_id;
	struct draft *draft;
};

/* --- the whole -------------------------------------------------------------- */

struct program_entry {
	uint32_t id;
	const struct observed_object *object;
	const struct observed_program *program;
	bool extension; /* its freplace form */
};

struct map_entry {
	uint32_t id;
	const struct observed_object *object;
	const struct observed_map *map;
};

struct interface_entry {
	const char *netns;
	const char *name; /* or one of its alternative names */
	size_t index;
};

struct planner {
	struct arena *a;
	const struct plan_input *in;
	const struct desired *desired;
	const struct observed *observed;
	/* Leave what is no longer declared (guard), and put it back where it is gone; NULL: let it go. */
	const struct waiting_removals *held;
	bool granted;      /* the operator confirmed: detaches may be planned */
	const char *newer; /* a sentence: a newer bpfshare made what is there; NULL: none did */

	struct program_entry *programs_by_id;
	size_t program_count;
	struct map_entry *maps_by_id; /* a map that others use stands there once for each of them */
	size_t map_count;
	struct interface_entry *interfaces_by_name;
	size_t interface_name_count;
	const struct failure **failures;
	LIST(const struct failure *) undone; /* of what has no state of its own */
	uint32_t *live_ids;                  /* programs that some interface runs, sorted */
	size_t live_id_count;

	struct set_state *sets;
	struct chain *chains;       /* by index of the interface */
	struct tc_chain *tc_chains; /* TC_DIRECTION_COUNT for each interface, in order of both */
	size_t tc_chain_count;
	struct dispatcher *dispatchers;
	LIST(struct build *) builds;
	LIST(struct object *) objects; /* by name */
	LIST(struct instance *) instances;
	struct instance **instances_by_name;
	size_t instance_name_count; /* instances added since the index was built are not in it */
	struct share_state *shares; /* as declared, then what of p->held is none of these */
	size_t share_count;
	struct target_entry *targets_by_path;
	size_t target_count;
	LIST(struct pin_fate) pin_fates;
	LIST(struct draft *) extensions; /* one per version that gets further freplace programs */

	LIST(struct draft *) drafts;
	struct draft *bpffs, *directory, *grace;
};

/* plan.c */
struct draft *draft_add(struct planner *p, enum op_kind kind, const char *key);
void draft_need(struct planner *p, struct draft *d, struct draft *needed); /* NULL: nothing */
struct planner *planner_run(struct arena *a, const struct plan_input *in,
			    const struct waiting_removals *held, bool granted);
void drafts_sort(struct planner *p);

/* lookup.c */
void lookup_build(struct planner *p);
void lookup_build_instances(struct planner *p);
const struct program_entry *lookup_program(const struct planner *p, uint32_t id);
/* All pins of the map in loaded objects: its owner's and its users'. */
size_t lookup_maps(const struct planner *p, uint32_t id, const struct map_entry **ret);
struct instance *lookup_instance(const struct planner *p, const char *name);
/* The versions of an instance that are in the kernel: they stand in a row. */
size_t lookup_versions(const struct planner *p, const char *instance,
		       const struct observed_object **ret);
#define NO_INTERFACE SIZE_MAX
/* Index of the interface of this name or alternative name in a namespace, or NO_INTERFACE. */
size_t lookup_interface(const struct planner *p, const char *netns, const char *name);
/* The interfaces of one namespace, which stand in a row. */
struct interface_range {
	const char *netns; /* as the observation names it: a declaration may use another name */
	size_t first, end; /* indices; end is the one behind the last */
};
/* By a declared name, NULL: the daemon's own. NULL, or a sentence about why there is no such namespace. */
const char *lookup_netns(const struct planner *p, const char *netns, struct interface_range *ret);
/* "eth0", in another namespace "blue:eth0": how keys and subjects name it (no interface has a colon). */
const char *interface_label(const struct planner *p, const struct observed_interface *i);
bool program_is_live(const struct planner *p, uint32_t id);
/* The failure of this very attempt that forbids another one now, else NULL. */
const struct failure *lookup_failure(const struct planner *p, const char *subject,
				     const char *version);
/* The same for what no object, attachment or share has a state for: the status tells it by itself. */
const struct failure *lookup_undone(struct planner *p, const char *subject, const char *version);
void undone_add(struct planner *p, const struct failure *f);
/* Likewise, whether its back-off has passed or not. */
const struct failure *lookup_past_failure(const struct planner *p, const char *subject,
					  const char *version);
void condition_set(struct condition_status *c, enum state state, const char *reason,
		   const char *message);
void condition_from_failure(struct condition_status *c, const struct failure *f);
/* c becomes the worse of both; the first of equals stays. */
void condition_worsen(struct condition_status *c, const struct condition_status *other);
/* "FILE:LINE" of a metadata record as an origin. */
struct origin origin_parse(struct arena *a, const char *s);

/* when.c: NULL when all parts hold, else a sentence about the one that does not. */
const char *condition_unmet(struct planner *p, const struct condition *c);

/* select.c */
void sets_resolve(struct planner *p);
bool selector_is_literal(const char *selector);
bool selector_selects(const struct planner *p, const char *selector, size_t interface);
/* Where a selector of an attachment looks: a set in its own namespace. Otherwise as lookup_netns(). */
const char *selector_range(const struct planner *p, const struct attach_decl *decl,
			   const char *selector, struct interface_range *ret);
struct xdp_settings interface_settings(const struct planner *p, size_t interface);
struct tc_settings interface_tc_settings(const struct planner *p, size_t interface);

/* live.c */
void live_observe(struct planner *p);
/* Something that is known to be ours runs there. */
bool live_is_ours(const struct live *l);
/* Of a chain that runs: a member that is not foreign, be its slot empty. */
bool live_has_own(const struct live *l);
/* Its members are freplace programs. */
bool live_is_libxdp(const struct live *l);
struct dispatcher *dispatcher_find(struct planner *p, uint32_t id);
/* How a program of ours looks that runs by itself. */
struct live_member live_lone_member(const struct program_entry *entry, enum hook hook);
const char *xdp_attached_name(enum xdp_attached mode);

enum mechanism live_mechanism(const struct live *l); /* AUTO: nothing of ours */

/* protocol.c */
/* Whether a root that is no complete chain of ours is a dispatcher whose members are known. */
bool protocol_observe(struct planner *p, struct chain *c);
/* What of a complete chain of ours only the directory in `xdp` tells: foreign members without a link. */
void protocol_complete(struct chain *c);
bool live_has_foreign(const struct live *l);
/* "xdp_drop (id 7), count (id 9)" */
const char *protocol_foreign_names(struct arena *a, const struct live *l);
/* Pins of the protocol that are missing; stale ones, once it is known which chains go. */
void protocol_pins_make(struct planner *p);
bool protocol_suffices(const struct chain *c);
void protocol_pins_remove(struct planner *p);
/* Nothing of ours is in it, and those who run it can do without us. */
bool protocol_hands_over(const struct dispatcher *d);

/* resolve.c */
void objects_resolve(struct planner *p);
/* The instance whose map a `maps.M.use` means, NULL when there is none of the name. */
struct instance *instance_used(struct planner *p, const struct instance *user,
			       const struct map_decl *m);

/* version.c */
void instances_plan(struct planner *p);
/* Finds previous and source. */
void instance_look_back(struct planner *p, struct instance *i);
/* Whether what is in force after this plan has a map of this name. */
bool instance_has_map(const struct instance *i, const char *map);

/* take_over.c */
/* What becomes of the maps when the declared version is loaded beside the one that serves. */
struct take_over {
	const char *version; /* of the new directory */
	struct op_map *maps; /* as in struct op_object */
	size_t map_count;
	struct meta_map *metas; /* one for each of the file, sorted by name */
	const char *attempt;    /* for the memory of failures: version, and how its maps are had */
	const char *summary;    /* ends the load's reason: "; keeps m", "" */
	const char *refusal; /* why there is to be no load (sentence); NULL: nothing forbids it */
};
/* What is declared for a map of this name; NULL: nothing. */
const struct map_decl *object_map_decl(const struct object_decl *o, const char *map);
struct take_over take_over(struct planner *p, const struct instance *i, const char *version,
			   const char *declaration);
/* What take_over() would make of the maps of i->previous is what v has: v goes on where that one is. */
bool take_over_is_done(struct planner *p, const struct instance *i, const struct observed_object *v,
		       const char *declaration);
/* The map as it will be in force; 0: made by this plan, or there is none. */
uint32_t instance_map_id(const struct instance *i, const char *map);
/* The version that created it, which is as good as its identity for those who use it. */
const char *instance_map_born(const struct instance *i, const char *map);

/* dropped.c */
/* What becomes of the maps that the version before has and the new file has not. */
struct dropped {
	const char *refused; /* "map m: …; map n: …", "": nothing forbids it */
	const char *remedy;  /* parts of a sentence, each with a comma at its end */
	const char **names;  /* of what goes with that version */
	size_t name_count;
};
struct dropped maps_dropped(struct planner *p, const struct instance *i,
			    const struct observed_object *from);
/* For the metadata of a new version: which files it, and what it follows, came after. */
const char *file_ancestors(struct planner *p, const struct instance *i);

/* Whether the user has this map of the owner's: as declared, else as it was loaded. */
bool instance_uses(struct planner *p, const struct instance *user, const struct instance *owner,
		   const char *map);

/* follow.c */
/* Sets instance.hold where the decisions do not go together; true: then all are to be made once more. */
bool follow_hold(struct planner *p);
/* user->load becomes a follower of the loads of those whose maps it moves along with. */
void follow_owners(struct planner *p, const struct instance *user);
/* v, if it is not what serves, has maps that all users of those have already. */
bool follow_is_done(struct planner *p, const struct instance *owner,
		    const struct observed_object *v);
/* What serves of some other object was loaded with a map of this version. */
bool maps_are_served(struct planner *p, const struct observed_object *v);
/* Completes the condition of what stays in force with a map that its owner has replaced. */
void follow_tell(struct planner *p, struct instance *user);

/* load.c */
/* The freplace form of a function of this version; drafts are one per version. */
struct draft *extension_draft(struct planner *p, const struct instance *i, const char *function);
/* Why loading one is of no use now. */
const struct failure *extension_failure(struct planner *p, const struct instance *i);
const char **programs_wanted(struct planner *p, const struct object_decl *decl, size_t *ret_count);
const char *declaration_hash(struct planner *p, const struct instance *i);
/* Whether the version was loaded for the declaration of this hash. */
bool declaration_is(struct planner *p, const struct instance *i, const struct observed_object *v,
		    const char *declaration);
struct draft *load_draft(struct planner *p, struct instance *i, const char *declaration,
			 const struct take_over *maps);
/* Where our pins can be made: the operation that prepares it, NULL when it is there. */
struct draft *base_prepare(struct planner *p);
const struct failure *base_failure(const struct planner *p);

/* chain.c */
void chains_want(struct planner *p);
/* How messages and keys call the chain: "eth0", "egress of eth0"; "eth0/xdp", "eth0/tc/egress". */
const char *chain_name(struct planner *p, const struct chain *c);
const char *chain_key(struct planner *p, const struct chain *c);
/* Finds what runs of the attachments; fills slots with all that should or may stay, and returns how many. */
size_t chain_gather(struct planner *p, struct chain *c);
/*
 * Orders n gathered slots and leaves out what cannot run. False: the chain stays as it is, and is not to be put back
 * as it was either.
 */
bool chain_arrange(struct planner *p, struct chain *c, size_t n);
/* Nothing of this chain changes, and this is why. running: also where a program runs as declared. */
void chain_stop(struct chain *c, bool running, const struct condition_status *why);
bool slot_is_running(const struct slot *s);
/* Whether the slot is for the same program of the same object as a member that runs. */
bool slot_continues(const struct slot *s, const struct live_member *m);

bool slot_is_missing(const struct slot *s);
/* A member that stays exactly as it runs. */
struct slot slot_kept(struct planner *p, const struct chain *c, const struct live_member *m);
/* Of somebody else's, in a dispatcher by libxdp's protocol. */
struct slot slot_foreign(const struct live_member *m);

/* mechanism.c */
/*
 * Decides between libxdp and the others for n gathered slots, some of which become missing or go (then
 * *n). False: the chain is stopped.
 */
bool mechanism_choose(struct planner *p, struct chain *c, size_t *n, bool *ret_libxdp);
/* The slots are final: what takes them. */
void mechanism_settle(struct planner *p, struct chain *c, bool libxdp);

/* order.c */
/*
 * Sorts the slots: before/after, then priority, object, program. NULL, or the text of a
 * cycle; then the members of all cycles are marked in the mask and the slots are as they were.
 */
const char *slots_order(struct arena *a, struct slot *slots, size_t n, uint64_t *ret_cyclic);

/* dispatch.c */
void dispatchers_plan(struct planner *p);
/* Whether it wants a dispatcher, of whatever mechanism. */
bool chain_wants_dispatcher(const struct chain *c);
const char *slots_hash(const struct chain *c, struct arena *a);

/* root.c */
void roots_plan(struct planner *p);
/* What differs between what runs and what is wanted, in words. */
const char *chain_explain(struct planner *p, const struct chain *c);
/* What is there cannot be swapped: another mode, or a root by netlink for one on a link. */
bool chain_takes_detach(const struct chain *c);
/* Whether a member that runs is still wanted, be it in another version or instance of its object. */
bool chain_keeps(const struct chain *c, const struct live_member *m);
void attachments_settle(struct planner *p);

/* plan.c */
bool plan_wants_tc(const struct desired *d); /* something is declared for tc */

/* tc.c; there are no chains at all where nothing of tc is declared or seen */
struct tc_chain *tc_chain_at(struct planner *p, size_t interface, enum tc_direction direction);
void tc_chains_observe(struct planner *p);
void tc_chains_want(struct planner *p);
bool tc_runs_ours(const struct tc_chain *t);

/* tc_place.c */
void tc_chains_plan(struct planner *p);

/* tc_status.c */
void tc_chains_settle(struct planner *p);
/* Adds what runs of ours, and how much of it this plan takes away. */
void tc_count(const struct planner *p, size_t *total, size_t *removed);
/* Adds to h what of ours goes without being known: where, and its id. */
void tc_hash_unknown(const struct planner *p, struct hasher *h);
/* A member that this plan takes away; of several entries that run it only the first says so. */
bool tc_member_leaves(const struct tc_chain *t, const struct tc_entry *e,
		      const struct live_member *m);
/* The entry that runs the attachment's program; NULL: none. */
const struct tc_entry *tc_entry_of(const struct tc_chain *t, const struct attachment *at);
enum mechanism tc_live_mechanism(const struct attachment *at);
void tc_status_chains(struct planner *p, struct status *s);

/* share_pins.c */
void share_resolve(struct planner *p, struct share_state *s);
/* False with a condition when the group is not known; a note may be set in any case. */
bool target_resolve_group(struct planner *p, struct target_state *t);

/* share.c */
void shares_plan(struct planner *p);
const char *target_path(struct arena *a, const char *run_dir, const struct share_decl *s,
			const struct share_target *t);

/* remove.c */
void leftovers_remove(struct planner *p);

/* recover.c: pins again what the kernel still holds; after all other drafts, some of which need it. */
void pins_restore(struct planner *p);

/* netns.c: records of the namespaces that something of ours is in, and their end. */
void netns_records_plan(struct planner *p);

/* guard.c */
/* Also says in plan how much there is, and how much of it goes. */
bool guard_trips(struct planner *p, const struct waiting_removals *leaving, struct plan *plan);
/*
 * Marks the drafts that wait for confirmation and names the set; returns how many there are. leaving NULL:
 * removals do not wait.
 */
size_t guard_hold(struct planner *p, const struct waiting_removals *leaving, char ret_token[65]);

/* held.c */
/* What this plan takes away, and what waited before, is not declared again, and can be put back. */
void held_collect(struct planner *p, struct waiting_removals *ret);
/* Drafts, only to be shown, for what waits and is not there now. */
void held_show(struct planner *p, const struct waiting_removals *leaving);
/* NULL: there is no such interface now. */
const struct chain *held_place(struct planner *p, const struct waiting_member *w);
/* Some of it could go, or be put back, now. */
bool held_is_at_hand(struct planner *p, const struct waiting_removals *leaving);
/* Whether it is noted for this place. */
bool held_is_at(const struct waiting_member *w, const struct chain *c);
int held_compare_places(const struct waiting_member *x, const struct waiting_member *y);
int held_compare(const void *a, const void *b); /* by place and name */
struct waiting_member held_as_it_runs(struct planner *p, const struct chain *c,
				      const struct live_member *m);
/* The version that it ran, or any that has the program; NULL: none is in the kernel. */
const struct observed_object *held_version(const struct planner *p, const struct waiting_member *w);
/* False: there is nothing to put back. */
bool held_fill_slot(struct planner *p, const struct chain *c, const struct waiting_member *w,
		    struct slot *ret);
/* Names the removals among what is held for the next plan: those that are not known by their members. */
void held_name(struct planner *p, const struct op *held, size_t n, struct waiting_removals *w);
/* Slots of p->held for a chain whose n slots do not have them; returns how many there are by then. */
size_t held_add_slots(struct planner *p, const struct chain *c, struct slot *slots, size_t n);
bool held_wants(struct planner *p, const struct chain *c);
bool held_wants_tc(const struct waiting_removals *w);
size_t held_count_at(const struct planner *p, const struct chain *c);

/* kept.c */
/* Members that run, or ran, without a declaration that could make them again: to in.waiting.kept of the next plan. */
void kept_collect(struct planner *p, struct waiting_removals *ret);
/* Slots for what is noted of a chain and is not among its n; returns how many there are by then. */
size_t kept_add_slots(struct planner *p, const struct chain *c, struct slot *slots, size_t n);
bool kept_wants(struct planner *p, const struct chain *c);
size_t kept_count_at(const struct planner *p, const struct chain *c);
/*
 * Of a halted chain that lost something: fills slots with all that it ran, in the order in which it did, of no attachment.
 * Returns how many; 0: it runs as it did, or nothing is known of it.
 */
size_t kept_restore(struct planner *p, struct chain *c);
/* The version that a member noted by the plan before needs to be there; NULL: none. */
const struct observed_object *kept_version(struct planner *p, const struct waiting_member *w);

/* status.c */
struct status *status_build(struct planner *p, const struct plan *plan);

/* status_chain.c */
void status_chains(struct planner *p, struct status *s);
