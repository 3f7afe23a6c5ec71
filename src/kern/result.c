/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <errno.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/context.h"

/* What is not listed is a refusal by the kernel. */
static const struct {
	int code;
	enum failure_class class;
	const char *reason;
} codes[] = {
	{ ENOMEM, FAILURE_TRANSIENT, "OutOfMemory" },
	{ ENOBUFS, FAILURE_TRANSIENT, "OutOfMemory" },
	{ ENOSPC, FAILURE_TRANSIENT, "OutOfSpace" },
	{ EDQUOT, FAILURE_TRANSIENT, "OutOfSpace" },
	{ EMFILE, FAILURE_TRANSIENT, "OutOfDescriptors" },
	{ ENFILE, FAILURE_TRANSIENT, "OutOfDescriptors" },
	{ EAGAIN, FAILURE_TRANSIENT, "Interrupted" },
	{ EINTR, FAILURE_TRANSIENT, "Interrupted" },
	{ ETIMEDOUT, FAILURE_TRANSIENT, "Interrupted" },
	{ EIO, FAILURE_TRANSIENT, "InputOutput" },
	/* Something changed between observation and operation: the next pass sees it. */
	{ ENOENT, FAILURE_TRANSIENT, "Vanished" },
	{ ENODEV, FAILURE_TRANSIENT, "Vanished" },
	{ ENXIO, FAILURE_TRANSIENT, "Vanished" },
	{ ESTALE, FAILURE_TRANSIENT, "Vanished" },
	{ EPERM, FAILURE_KERNEL, "NotPermitted" },
	{ EACCES, FAILURE_KERNEL, "NotPermitted" },
	{ EOPNOTSUPP, FAILURE_KERNEL, "NotSupported" },
	{ ENOSYS, FAILURE_KERNEL, "NotSupported" },
	{ EROFS, FAILURE_KERNEL, "ReadOnlyFileSystem" },
	{ EBUSY, FAILURE_FOREIGN, "Busy" },
	{ EEXIST, FAILURE_FOREIGN, "Busy" },
	{ ENOTEMPTY, FAILURE_FOREIGN, "Busy" },
};

/* Refusals of our own that end when somebody else changes what they did. */
static const char *const foreign_reasons[] = { "PathInUse", "PathNotEmpty", "UntrustedPath" };

static bool reason_is_foreign(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign_reasons); i++)
		if (str_eq(reason, foreign_reasons[i]))
			return true;
	return false;
}

void result_fail(struct op_result *ret, int code)
{
	const char *reason = "KernelRefused";

	ret->code = code;
	ret->class = FAILURE_KERNEL;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == -code) {
			ret->class = codes[i].class;
			reason = codes[i].reason;
			break;
		}
	if (!ret->reason)
		ret->reason = reason;
	else if (reason_is_foreign(ret->reason))
		ret->class = FAILURE_FOREIGN;
}

int result_fail_as(struct op_result *ret, int code, const char *reason)
{
	result_fail(ret, code);
	ret->reason = reason;
	return code;
}
