/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/log.h: formats a change of the table. */
#ifndef CTL_LOG_H
#define CTL_LOG_H

#include "base/error.h"
#include "table/changelog.h"

#include <stddef.h>
#include <stdint.h>

/* Writes "change 3 of 2026-11-25T02:19:51Z by alice as root: import moved.csv" to out[size], truncated to fit. */
void change_format(char *out, size_t size, const struct change *change);
#define CHANGE_TEXT_SIZE (CHANGE_COMMAND_MAX + 3 * CHANGE_USER_MAX)

/* Writes "2 added, 1 changed, 3 removed" to out[size], without the counts that are 0. */
void change_format_counts(char *out, size_t size, uint64_t added, uint64_t changed,
                          uint64_t removed);
#define CHANGE_COUNTS_SIZE 100

#endif
