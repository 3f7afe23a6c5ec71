/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where log lines go: to the journal with fields of their own if stderr leads there, with
 * the priority in front if a service manager reads stderr, else as plain text.
 */
#pragma once

void journal_init(void);
