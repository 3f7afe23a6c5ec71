/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The three parts of crashtool; each returns the exit status. */
#pragma once

int crashtool_usage(void);

/*
 * What is there, without the numbers that differ between runs and without base in front of paths, on
 * standard output. directories ends with NULL.
 */
int crash_state(const char *created_path, const char *base, char **directories);

/* Of each map the sum of the numbers that its values begin with, one in a line. pins ends with NULL. */
int crash_counts(char **pins);

/* Sends and counts by commands on standard input, until that ends. */
int crash_stream(const char *interface, const char *sender, const char *netns);
