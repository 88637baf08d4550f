/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/forward.h"

#include "daemon/logger.h"
#include "mail/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* With its brackets. Sendmail takes no longer path: one octet more, and it answers the end of the message twice. */
#define PATH_MAX_OCTETS 255

/* A recipient as the client gave it. */
struct recipient {
    char *path;    /* as it was written, but without a source route */
    uint64_t name; /* hash of the mailbox name */

    /* NOTIFY and ORCPT, for a DSN that names what the sender wrote (RFC 3461); NULL for neither. */
    char *parameters;
    size_t notify_length; /* of the NOTIFY that they begin with; 0: they do not */
};

struct forward {
    struct forward *next;
    struct recipient recipient;
    char *old, *new; /* both in plain form */
    bool again;      /* another one before it has the same new address, and NOTIFY */
};

struct staying {
    uint64_t name; /* as in struct recipient */
    char *rcpt;    /* the arguments of RCPT, a blank between them; NULL: not of Sendmail's */
};

/* ---- memory */

static void recipient_free(struct recipient *recipient)
{
    free(recipient->path);
    free(recipient->parameters);
}

static void forward_free(struct forward *forward)
{
    if (forward == NULL)
        return;
    recipient_free(&forward->recipient);
    free(forward->old);
    free(forward->new);
    free(forward);
}

void forward_forget(struct forwards *forwards)
{
    while (forwards->first != NULL) {
        struct forward *forward = forwards->first;
        forwards->first = forward->next;
        forward_free(forward);
    }
    for (unsigned i = 0; i < forwards->staying_count; i++)
        free(forwards->staying[i].rcpt);
    free(forwards->staying);
    *forwards = (struct forwards){.allowed = forwards->allowed, .postfix = forwards->postfix};
}

/* ---- one recipient */

/* Hashes the mailbox name without regard to quotes and case: FNV-1a. */
static uint64_t hash_name(const char *mailbox, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    const char *at = memrchr(mailbox, '@', length);
    size_t end = at == NULL ? length : (size_t)(at - mailbox);
    for (size_t i = 0; i < end; i++) {
        unsigned octet = (unsigned char)mailbox[i];
        if (octet >= 'A' && octet <= 'Z')
            octet |= 0x20;
        if (octet != '"' && octet != '\\')
            hash = (hash ^ octet) * 0x100000001b3ULL;
    }
    return hash;
}

static char *in_brackets(const char *mailbox, size_t length)
{
    char *path;
    bool fits = length + 2 <= PATH_MAX_OCTETS;
    int rc = asprintf(&path, "%s%.*s%s", fits ? "<" : "", (int)length, mailbox, fits ? ">" : "");
    return rc < 0 ? NULL : path;
}

/* Keeps the parameters of RCPT that also count for the new address. Postfix always gets an ORCPT. Sendmail without DSN
 * would refuse the new address for it, and the end of the message too; if a client gave an ORCPT, Sendmail offers DSN.
 * Returns -1 if memory is out; in any case the caller frees the recipient. */
static int recipient_read(struct recipient *out, char **args, bool postfix)
{
    size_t length = envelope_path_length(args[0]), notify_length = 0, orcpt_length = 0;
    const char *mailbox = envelope_mailbox(args[0], &length);
    const char *notify = envelope_parameter(args, "NOTIFY", &notify_length);
    const char *orcpt = envelope_parameter(args, "ORCPT", &orcpt_length);
    char *made = malloc(ENVELOPE_ORCPT_SIZE(length));

    if (made != NULL && orcpt == NULL && postfix && envelope_orcpt(made, mailbox, length) == 0) {
        orcpt = made;
        orcpt_length = strlen(made);
    }
    out->path = args[0][0] == '<' ? in_brackets(mailbox, length) : strndup(mailbox, length);
    out->name = hash_name(mailbox, length);
    out->notify_length = notify == NULL ? 0 : notify_length;
    if (made == NULL ||
        asprintf(&out->parameters, "%.*s%s%.*s", (int)out->notify_length,
                 notify == NULL ? "" : notify, notify != NULL && orcpt != NULL ? " " : "",
                 (int)orcpt_length, orcpt == NULL ? "" : orcpt) < 0)
        out->parameters = NULL;
    free(made);
    return out->path == NULL || out->parameters == NULL ? -1 : 0;
}

static bool is_same_notify(const struct recipient *one, const struct recipient *other)
{
    return one->notify_length == other->notify_length &&
           strncasecmp(one->parameters, other->parameters, one->notify_length) == 0;
}

int forward_note(struct forwards *forwards, char **args, const char *old, const char *new)
{
    if (!forwards->allowed || forwards->count >= FORWARDS_MAX)
        return -1;
    struct forward *made = calloc(1, sizeof *made);
    bool fits = made != NULL && recipient_read(&made->recipient, args, forwards->postfix) == 0 &&
                (made->old = strdup(old)) != NULL && (made->new = strdup(new)) != NULL;
    for (struct forward *at = forwards->first; fits && at != NULL; at = at->next) {
        /* If the table has changed meanwhile, or an entry has come into force, an earlier new address may be an old one
         * now: it would be deleted after it was added. */
        fits = strcasecmp(at->new, old) != 0 && strcasecmp(at->old, new) != 0;
        made->again = made->again || (strcmp(at->new, new) == 0 &&
                                      is_same_notify(&at->recipient, &made->recipient));
    }
    if (!fits) {
        forward_free(made);
        return -1;
    }
    if (forwards->first == NULL)
        forwards->first = made;
    else
        forwards->end->next = made;
    forwards->end = made;
    forwards->count++;
    return 0;
}

/* Joins the arguments with blanks, which envelope_parameter reads too. */
static char *join(char **args, size_t length)
{
    char *out = malloc(length + 1), *at = out;
    for (size_t i = 0; out != NULL && args[i] != NULL; i++) {
        if (i > 0)
            *at++ = ' ';
        at = stpcpy(at, args[i]);
    }
    return out;
}

int forward_note_staying(struct forwards *forwards, char **args)
{
    size_t length = envelope_path_length(args[0]), octets = 0;
    const char *mailbox = envelope_mailbox(args[0], &length);
    struct staying made = {.name = hash_name(mailbox, length)};

    for (size_t i = 0; forwards->postfix && args[i] != NULL; i++)
        octets += strlen(args[i]) + 1;
    if (forwards->staying_count == STAYING_MAX ||
        forwards->staying_octets + octets > STAYING_OCTETS_MAX) {
        forwards->crowded = true;
        return 0;
    }
    if (forwards->staying_count == forwards->staying_room) {
        unsigned room = forwards->staying_room == 0 ? 4 : 2 * forwards->staying_room;
        struct staying *more = realloc(forwards->staying, room * sizeof *more);
        if (more == NULL)
            return -1;
        forwards->staying = more;
        forwards->staying_room = room;
    }
    if (forwards->postfix && (made.rcpt = join(args, octets)) == NULL)
        return -1;
    forwards->staying[forwards->staying_count++] = made;
    forwards->staying_octets += octets;
    return 0;
}

/* ---- the end of the message */

/* Whether a recipient that stays has the same mailbox name. If both domains are its own, Sendmail takes alice@old.example and
 * alice@here.example for one mailbox, and would delete both. If they are two, the old one keeps a copy. */
static bool shares_name(const struct forwards *forwards, const struct forward *forward)
{
    if (forwards->postfix)
        return false;
    for (unsigned i = 0; i < forwards->staying_count; i++)
        if (forwards->staying[i].name == forward->recipient.name)
            return true;
    return forwards->crowded;
}

/* Makes the recipient that is added for the new address. If that is a recipient already, it is added again with the same
 * parameters: another milter may have refused the first one, and otherwise Postfix drops the copy, since recipient, NOTIFY and
 * ORCPT are the same (cleanup_out_recipient.c). Returns -1 if memory is out; in any case the caller frees the recipient. */
static int make_new(struct recipient *out, const struct forwards *forwards,
                    const struct forward *forward)
{
    size_t new_length = strlen(forward->new);
    uint64_t name = hash_name(forward->new, new_length);
    for (unsigned i = 0; forwards->postfix && i < forwards->staying_count; i++) {
        char *args[] = {forwards->staying[i].rcpt, NULL};
        size_t length = envelope_path_length(args[0]);
        const char *mailbox = envelope_mailbox(args[0], &length);
        if (forwards->staying[i].name != name || length != new_length ||
            strncasecmp(mailbox, forward->new, length) != 0)
            continue;
        if (recipient_read(out, args, true) != 0)
            return -1;
        if (is_same_notify(out, &forward->recipient))
            return 0;
        recipient_free(out);
    }
    *out = (struct recipient){.path = in_brackets(forward->new, new_length),
                              .parameters = strdup(forward->recipient.parameters)};
    return out->path == NULL || out->parameters == NULL ? -1 : 0;
}

static int add_all(const struct forwards *forwards, SMFICTX *ctx)
{
    int rc = MI_SUCCESS;
    for (struct forward *at = forwards->first; at != NULL && rc == MI_SUCCESS; at = at->next) {
        struct recipient new = {.path = NULL};
        if (at->again)
            continue;
        rc = make_new(&new, forwards, at) != 0
                 ? MI_FAILURE
                 : smfi_addrcpt_par(ctx, new.path, *new.parameters == '\0' ? NULL : new.parameters);
        recipient_free(&new);
    }
    return rc;
}

/* sendmail(1) of Postfix may have been given a name without a domain. Postfix shows it with a domain, but compares it
 * without. */
static int delete_bare_name(const struct forward *forward, SMFICTX *ctx)
{
    const char *path = forward->recipient.path, *at = strrchr(path, '@');
    char *name = at == NULL ? NULL : strndup(path, (size_t)(at - path));
    int rc = name == NULL ? MI_FAILURE : smfi_delrcpt(ctx, name);
    free(name);
    return rc;
}

static int delete_all(const struct forwards *forwards, SMFICTX *ctx)
{
    int rc = MI_SUCCESS;
    /* With several recipients, the bare name may be another one's. */
    bool alone = forwards->count == 1 && forwards->staying_count == 0 && !forwards->crowded;
    for (struct forward *at = forwards->first; at != NULL && rc == MI_SUCCESS; at = at->next) {
        if (!shares_name(forwards, at))
            rc = smfi_delrcpt(ctx, at->recipient.path);
        if (rc == MI_SUCCESS && alone && forwards->postfix && at->recipient.path[0] != '<')
            rc = delete_bare_name(at, ctx);
    }
    return rc;
}

/* First all are added, then all deleted: whatever fails in between, none is lost. Sendmail may take an old and a new
 * address for one mailbox: then the first round adds nothing, and the second deletes it. The third round brings it
 * back, and changes nothing else. Postfix compares text, and would deliver twice when its memory of duplicates is
 * full. */
int forward_carry_out(const struct forwards *forwards, SMFICTX *ctx)
{
    int rc = add_all(forwards, ctx);
    if (rc == MI_SUCCESS)
        rc = delete_all(forwards, ctx);
    if (rc == MI_SUCCESS && !forwards->postfix)
        rc = add_all(forwards, ctx);
    const char *id = smfi_getsymval(ctx, (char *)"i");
    for (struct forward *at = forwards->first; at != NULL && rc == MI_SUCCESS; at = at->next)
        log_line(LOG_INFO, "%s: to=<%s>, forwarded=<%s>", id == NULL ? "NOQUEUE" : id, at->old,
                 at->new);
    return rc == MI_SUCCESS ? 0 : -1;
}
