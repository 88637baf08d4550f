/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 1000 /* what is over sooner shows no bar */
#define EACH_MS  200
#define BAR_MAX  40 /* columns, as many as show_bar has */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, const char *what, size_t all)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    *progress = (struct progress){.what = what, .unit = "entries", .all = all, .started = now_ms()};
    progress->told = progress->started + QUIET_MS - EACH_MS;
    progress->terminal =
        isatty(STDERR_FILENO) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
    progress->colour = no_colour == NULL || *no_colour == '\0';
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* "1,234,567", at the end of out. */
static const char *grouped(char out[32], size_t number)
{
    char *at = out + 31;
    *at = '\0';
    for (int digits = 0; digits == 0 || number > 0; digits++, number /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

static void show_bar(const struct progress *progress, double part, int width)
{
    static const char full[] = "########################################",
                      rest[] = "----------------------------------------";
    const char *on = progress->colour ? "\033[32m" : "", *off = progress->colour ? "\033[0m" : "";
    int done = (int)(part * width);
    fprintf(stderr, " [%s%.*s%s%.*s%s]", on, done, full, off, width - done, rest, off);
}

static void show(const struct progress *progress, size_t done, double part, int64_t passed_ms)
{
    char digits[2][32], left[32] = "";
    const char *count = grouped(digits[0], done),
               *rate = grouped(digits[1], (size_t)((double)done * 1000 / (double)passed_ms));
    long seconds = part > 0 ? (long)((double)passed_ms / 1000 * (1 - part) / part + 0.5) : 0;
    if (part > 0)
        snprintf(left, sizeof left, ", %ld:%02ld left", seconds / 60, seconds % 60);

    fprintf(stderr, "\r%s", progress->what);
    int width =
        columns() - (int)(strlen(progress->what) + strlen(count) + strlen(rate) + strlen(left) +
                          strlen(progress->unit) + sizeof " [] 100% of  ,  a second");
    if (part > 0 && width >= 4)
        show_bar(progress, part, width > BAR_MAX ? BAR_MAX : width);
    if (part > 0)
        fprintf(stderr, " %3d%%", (int)(part * 100));
    fprintf(stderr, " %s %s, %s a second%s\033[K", count, progress->unit, rate, left);
    fflush(stderr);
}

void progress_tell(struct progress *progress, size_t done, double at, double all)
{
    if (!progress->terminal)
        return;
    int64_t now = now_ms();
    if (now - progress->told < EACH_MS)
        return;
    progress->told = now;
    progress->shown = true;
    show(progress, done, all <= 0 ? 0 : at >= all ? 1 : at / all, now - progress->started);
}

void progress_step(struct progress *progress)
{
    progress->done++;
    progress_tell(progress, progress->done, (double)progress->done, (double)progress->all);
}

void progress_show(struct progress *progress)
{
    if (!progress->terminal)
        return;
    progress->shown = true;
    fprintf(stderr, "\r%s\033[K", progress->what);
    fflush(stderr);
}

void progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
