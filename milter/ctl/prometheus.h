/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/prometheus.h: the daemon's counters as Prometheus text 0.0.4, for node_exporter's textfile collector. */
#ifndef CTL_PROMETHEUS_H
#define CTL_PROMETHEUS_H

#include "ctl/ctl.h"

/* Asks the daemon, and prints all metrics to the file, whole or not at all; NULL: to standard output. Where the daemon does
 * not answer, milter_moved_up is 0 and stands alone with what is known without it, and the result is -1 with err (EX_UNAVAILABLE).
 * Returns 0, or -1 with err. */
int prometheus_write(const struct ctl *ctl, const char *file, struct error *err);

#endif
