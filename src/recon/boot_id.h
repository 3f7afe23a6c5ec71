/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which boot of the machine this is: what a file in the run directory says holds for its own only. */
#pragma once

#define BOOT_ID_SIZE 37 /* a UUID and NUL */

/* 0 or -errno. */
int boot_id_read(char ret[BOOT_ID_SIZE]);
