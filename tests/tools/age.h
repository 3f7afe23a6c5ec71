/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#pragma once

/*
 * Makes the metadata of a directory (objects/INSTANCE/VERSION or chains/ID) what a bpfshare of another
 * layout would have written: the version in its header and, of layout 1, maps without what that did not
 * know of them. 0, or 1 with a message.
 */
int age_metadata(const char *directory, unsigned int layout);
