/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A story about one node, told in a file: what interfaces and object files there are, what
 * others do, which configuration is applied. Its transcript holds every plan, status and state of the fake
 * kernel. One command per line, `#` comments; indented lines belong to the `elf` before them:
 *
 *   elf FILE CONTENT            an object file; a repetition replaces it
 *     map NAME TYPE [value=N] [entries=N] [flags=N] [btf=WORD] [filled] [opaque]
 *         TYPE of a data section (".bss") is not looked at
 *     variable NAME SECTION
 *     program NAME [frags] [tc] [needed] [maps=A,B] [no-btf] [run-priority=N] [run-actions=A,B]
 *   interface NAME [driver=D] [kind=K] [mac=M] [group=N] [physical] [loopback] [alt=A]
 *       [master=IFINDEX:KIND] [xdp] [no-native] [mtu=N] [ifindex=N]
 *       NAME is "eth0", or in another namespace "blue:eth0", here and below
 *   remove-interface NAME       rename-interface NAME TO (also into another namespace)
 *   netns NAME [same-as=OTHER]  remove-netns NAME
 *   foreign NAME PROGRAM MODE   someone else's root (native, generic)
 *   detach NAME                 someone switches the root off
 *   elsewhere NAME              its root is also in use where nobody looks
 *   empty-slot NAME SLOT        lose-pin INSTANCE [PROGRAM]    lose-chain NAME
 *   lose-for-good INSTANCE [PROGRAM]    so that it is not found again by what runs either
 *   feature NAME DETAIL…        is not available, because
 *   libxdp                      chains by its protocol can be built
 *   protocol N                  version of it that the host's libxdp writes
 *   xdp-load NAME PROGRAM [priority=N] [actions=A,B] [frags]    as xdp-loader does
 *   xdp-unload NAME [PROGRAM]   one program of this name, or all
 *   dispatch-fault NAME TEXT…   the chain there cannot be joined, because
 *   lose-link NAME SLOT         lose-protocol-pins NAME
 *   refuse-extension CONTENT    the kernel does as a freplace program
 *   mechanism auto|…            on-foreign wait|replace    exclusive true|false
 *   feature-back NAME           it is available again
 *   no-bpffs
 *   tc-link NAME DIRECTION PROGRAM [INDEX]     someone else's TCX link; tc-race: just before our next
 *   tc-filter NAME DIRECTION FILTER PRIORITY   someone else's (of the kind bpf, or flower, u32)
 *   tc-qdisc NAME ingress|clsact|none          all filters go
 *   tc-detach NAME DIRECTION INDEX             someone detaches what is there in the TCX list
 *   tc-unpin NAME DIRECTION INDEX              our pin goes, but someone else holds the link
 *   tc-mechanism auto|tcx|clsact               of the settings
 *   host NAME    kernel X.Y.Z   label KEY VALUE
 *   mass-removal PERCENT LEAST  mode native|generic|…
 *   group NAME GID              user NAME UID GID [shared]
 *   mount PATH   unmount PATH   something foreign (over a share), or ours where nothing covers it
 *   pin PATH NAME MAPID UID GID MODE
 *   write INSTANCE MAP KEY VALUE [oldest]    into the map of the newest version, or of the oldest; KEY is
 *                               a number, of a data section a variable
 *   write-before KIND INSTANCE MAP KEY VALUE [oldest]    right before the next operation of this kind
 *   old-metadata                everything was loaded by an older version of bpfshare, which stored less
 *   kernel-map INSTANCE MAP ENTRIES [FLAGS]    what the kernel made of both when the map was created
 *   contents INSTANCE MAP       what all versions have in it
 *   refuse CONTENT              the verifier does, from now on
 *   fail N CODE CLASS           the n-th next operation (transient, kernel, foreign)
 *   crash N                     after the n-th next step;  `restart` to go on
 *   due                         the back-off of all failures has passed
 *   invalid FILE                it is invalid and no good version of it is known
 *   plan FILE…                  `apply FILE…` until nothing moves; without files: those of before
 *   confirm  suspend  resume  purge    `apply` with it
 *   kernel-state                what is in the kernel;  `tc-state NAME` who runs there, in order
 */
#pragma once

#include "base/str.h"

/*
 * Tells the story of dir/scenario, whose files are beside it, into out. Hashes become
 * numbers in order of appearance. -EINVAL with text for a command that is none.
 */
struct error;
int scenario_run(const char *dir, struct strbuf *out, struct error *e);
