#include "daemon/forward.h"

#include "daemon/log.h"
#include "mail/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sendmail takes no longer path, brackets and all; one octet more, and it answers the end of the message
 * twice. */
#define PATH_MAX_OCTETS 255

struct forward {
    struct forward *next;
    char *path;     /* what smfi_delrcpt gets: as the client wrote it, but without a source route */
    char *new_path; /* what smfi_addrcpt_par gets: "<al@new.example>" */

    /* NOTIFY and ORCPT, for a DSN that names what the sender wrote (RFC 3461); NULL for neither. */
    char *parameters;
    size_t notify_length; /* of the NOTIFY that they begin with; 0: they do not */

    char *old, *new; /* both in plain spelling */
    uint64_t name;   /* hash of the old mailbox name */
    bool again;      /* another one before it has the same new address, and NOTIFY */
};

/* ---- memory */

static void forward_free(struct forward *forward)
{
    if (forward == NULL)
        return;
    free(forward->path);
    free(forward->new_path);
    free(forward->parameters);
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
    free(forwards->names);
    forwards->end = NULL;
    forwards->names = NULL;
    forwards->count = forwards->staying = 0;
}

/* ---- one recipient */

/* Of the mailbox name, whatever its quotes and case: FNV-1a. */
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

/* The parameters of RCPT that belong to the recipient whoever gets the mail. To Postfix an ORCPT is
 * given in any case. Sendmail without DSN would refuse the new address for it, and the end of the
 * message too; where a client gave one, it offers DSN. */
static int keep_parameters(struct forward *out, char **args, const char *mailbox, size_t length,
                           bool add_orcpt)
{
    size_t notify_length = 0, orcpt_length = 0;
    const char *notify = envelope_parameter(args, "NOTIFY", &notify_length);
    const char *orcpt = envelope_parameter(args, "ORCPT", &orcpt_length);
    char *made = malloc(ENVELOPE_ORCPT_SIZE(length));

    if (made == NULL)
        return -1;
    if (orcpt == NULL && add_orcpt && envelope_orcpt(made, mailbox, length) == 0) {
        orcpt = made;
        orcpt_length = strlen(made);
    }
    out->notify_length = notify_length;
    int rc = 0;
    if (notify != NULL || orcpt != NULL)
        rc = asprintf(&out->parameters, "%.*s%s%.*s", (int)notify_length,
                      notify == NULL ? "" : notify, notify != NULL && orcpt != NULL ? " " : "",
                      (int)orcpt_length, orcpt == NULL ? "" : orcpt);
    if (rc < 0)
        out->parameters = NULL;
    free(made);
    return rc < 0 ? -1 : 0;
}

static struct forward *forward_new(char **args, const char *old, const char *new, bool postfix)
{
    size_t path_length = envelope_path_length(args[0]), length = path_length;
    const char *mailbox = envelope_mailbox(args[0], &length);
    struct forward *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;

    made->path = args[0][0] == '<' ? in_brackets(mailbox, length) : strndup(mailbox, length);
    made->new_path = in_brackets(new, strlen(new));
    made->old = strdup(old);
    made->new = strdup(new);
    made->name = hash_name(mailbox, length);
    if (made->path == NULL || made->new_path == NULL || made->old == NULL || made->new == NULL ||
        keep_parameters(made, args, mailbox, length, postfix) != 0) {
        forward_free(made);
        return NULL;
    }
    return made;
}

static bool is_same_mail(const struct forward *one, const struct forward *other)
{
    return strcmp(one->new, other->new) == 0 && one->notify_length == other->notify_length &&
           (one->notify_length == 0 ||
            strncasecmp(one->parameters, other->parameters, one->notify_length) == 0);
}

int forward_note(struct forwards *forwards, char **args, const char *old, const char *new)
{
    if (!forwards->allowed || forwards->count >= FORWARDS_MAX)
        return -1;
    struct forward *made = forward_new(args, old, new, forwards->postfix);
    if (made == NULL)
        return -1;
    for (struct forward *at = forwards->first; at != NULL; at = at->next) {
        /* The table or the hour has changed since: what was a new address then is an old one now,
         * and would be deleted after it was added. */
        if (strcasecmp(at->new, old) == 0 || strcasecmp(at->old, new) == 0) {
            forward_free(made);
            return -1;
        }
        made->again = made->again || is_same_mail(at, made);
    }
    if (forwards->first == NULL)
        forwards->first = made;
    else
        forwards->end->next = made;
    forwards->end = made;
    forwards->count++;
    return 0;
}

int forward_note_staying(struct forwards *forwards, char **args)
{
    size_t length = envelope_path_length(args[0]);
    const char *mailbox = envelope_mailbox(args[0], &length);

    if (forwards->staying++ >= STAYING_MAX || forwards->postfix)
        return 0;
    if ((forwards->staying & (forwards->staying - 1)) == 0) { /* 1, 2, 4: room for twice as many */
        uint64_t *more = realloc(forwards->names, 2 * forwards->staying * sizeof *more);
        if (more == NULL)
            return -1;
        forwards->names = more;
    }
    forwards->names[forwards->staying - 1] = hash_name(mailbox, length);
    return 0;
}

/* ---- the end of the message */

/* Sendmail takes alice@old.example and alice@here.example for one mailbox where both domains are
 * its own: to delete the one would delete the other. Where they are two, the old one then has a copy. */
static bool shares_name(const struct forwards *forwards, const struct forward *forward)
{
    if (forwards->postfix)
        return false;
    if (forwards->staying > STAYING_MAX)
        return true;
    for (unsigned i = 0; i < forwards->staying; i++)
        if (forwards->names[i] == forward->name)
            return true;
    return false;
}

static int add_all(const struct forwards *forwards, SMFICTX *ctx)
{
    int rc = MI_SUCCESS;
    for (struct forward *at = forwards->first; at != NULL && rc == MI_SUCCESS; at = at->next)
        if (!at->again)
            rc = smfi_addrcpt_par(ctx, at->new_path, at->parameters);
    return rc;
}

/* sendmail(1) of Postfix may have been told a name without a domain. What it passes on has one, and
 * what it compares has none. */
static int delete_bare_name(const struct forward *forward, SMFICTX *ctx)
{
    const char *at = strrchr(forward->path, '@');
    char *name = at == NULL ? NULL : strndup(forward->path, (size_t)(at - forward->path));
    int rc = name == NULL ? MI_FAILURE : smfi_delrcpt(ctx, name);
    free(name);
    return rc;
}

static int delete_all(const struct forwards *forwards, SMFICTX *ctx)
{
    int rc = MI_SUCCESS;
    /* Among others the bare name might be another one's. */
    bool alone = forwards->count == 1 && forwards->staying == 0;
    for (struct forward *at = forwards->first; at != NULL && rc == MI_SUCCESS; at = at->next) {
        if (!shares_name(forwards, at))
            rc = smfi_delrcpt(ctx, at->path);
        if (rc == MI_SUCCESS && alone && forwards->postfix && at->path[0] != '<')
            rc = delete_bare_name(at, ctx);
    }
    return rc;
}

static void log_all(const struct forwards *forwards, SMFICTX *ctx)
{
    const char *id = smfi_getsymval(ctx, (char *)"i");
    for (struct forward *at = forwards->first; at != NULL; at = at->next)
        log_line(LOG_INFO, "%s: to=<%s>, forwarded=<%s>", id == NULL ? "NOQUEUE" : id, at->old,
                 at->new);
}

/* First all are added and then all deleted: whatever breaks in between, none is lost. To Sendmail an old
 * and a new address can be one mailbox, which the first round then does not add, since it is
 * there, and the second deletes: the third brings it back, and changes nothing else. Postfix compares
 * text, and would deliver twice where its memory of duplicates is full. */
int forward_carry_out(const struct forwards *forwards, SMFICTX *ctx)
{
    int rc = add_all(forwards, ctx);
    if (rc == MI_SUCCESS)
        rc = delete_all(forwards, ctx);
    if (rc == MI_SUCCESS && !forwards->postfix)
        rc = add_all(forwards, ctx);
    if (rc != MI_SUCCESS)
        return -1;
    log_all(forwards, ctx);
    return 0;
}
