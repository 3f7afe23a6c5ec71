/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Where things are unless the command line says otherwise; for daemon and tool alike. */
#pragma once

/* By precedence: the first directory that has a file name wins. */
#define DEFAULT_CONF_DIRS                                                   \
	{                                                                   \
		"/etc/bpfshare.d", "/run/bpfshare.d", "/usr/lib/bpfshare.d" \
	}

#define DEFAULT_SETTINGS  "/etc/bpfshare/bpfshared.yaml"
#define DEFAULT_RUN_DIR   "/run/bpfshare"
#define DEFAULT_STATE_DIR "/var/lib/bpfshare"
#define DEFAULT_BPFFS_DIR "/sys/fs/bpf/bpfshare"

/* Below the run directory. */
#define STATUS_SOCKET  "status/status.sock"
#define CONTROL_SOCKET "control/control.sock"

/* Below the state directory. */
#define LAST_GOOD "last-good"

/* Exit codes of bpfshared and bpfsharectl; 0 is success. */
enum exit_code {
	EXIT_FAULT = 1,     /* an error; of --once: not converged */
	EXIT_CHANGES = 2,   /* of `plan`: something would change */
	EXIT_NO_DAEMON = 3, /* nobody to ask, or someone else holds the lock */
	EXIT_USAGE = 64,
	EXIT_TIMEOUT = 124,
};
