/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/session.h"

#include "daemon/counters.h"
#include "daemon/forward.h"
#include "daemon/hits_queue.h"
#include "daemon/logger.h"
#include "daemon/open_sessions.h"
#include "daemon/report.h"
#include "daemon/service.h"
#include "mail/envelope.h"

#include <assert.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_SIZE 256 /* RFC 1035: 255 octets */
/* for the log: a path has 256 octets (RFC 5321 section 4.5.3.1.3), a longer one is cut */
#define SENDER_SIZE 512

/* What the callbacks need. Of these, only what the MTA offers is negotiated. */
#define ACTIONS (SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT | SMFIF_SETSYMLIST)
#define STEPS                                                                                      \
    (SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN |   \
     SMFIP_NR_CONN | SMFIP_NR_MAIL)

struct session {
    char host[HOST_SIZE];
    char sender[SENDER_SIZE]; /* the mailbox of MAIL, as the client wrote it; "" for <> */
    struct client client;
    bool may_be_local; /* it may be mail that Postfix got from sendmail(1) */
    bool no_reply_connect, no_reply_mail;
    bool hears_refused; /* recipients too that the mail server itself refuses */
    struct forwards forwards;
};

/* ---- memory */

static struct session *session_new(SMFICTX *ctx)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL || smfi_setpriv(ctx, session) != MI_SUCCESS) {
        free(session);
        return NULL;
    }
    open_sessions_add();
    return session;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL) {
        smfi_setpriv(ctx, NULL);
        forward_forget(&session->forwards);
        free(session);
        open_sessions_remove();
    }
    return SMFIS_CONTINUE;
}

/* ---- before the recipients */

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions,
                             unsigned long offered_steps, unsigned long f2, unsigned long f3,
                             unsigned long *actions, unsigned long *steps, unsigned long *pf2,
                             unsigned long *pf3)
{
    struct session *session = session_new(ctx);
    /* In observe mode the maps find nothing, so the mail server itself refuses a mailbox that was removed. */
    const unsigned long more_steps = service_observes() ? SMFIP_RCPT_REJ : 0;
    (void)f2;
    (void)f3;
    if (session == NULL)
        return SMFIS_TEMPFAIL;

    *actions = offered_actions & ACTIONS;
    *steps = offered_steps & (STEPS | more_steps);
    *pf2 = *pf3 = 0;
    session->forwards.allowed =
        (*actions & SMFIF_ADDRCPT_PAR) != 0 && (*actions & SMFIF_DELRCPT) != 0;
    session->no_reply_connect = (*steps & SMFIP_NR_CONN) != 0;
    session->no_reply_mail = (*steps & SMFIP_NR_MAIL) != 0;
    session->hears_refused = (*steps & SMFIP_RCPT_REJ) != 0;
    if ((*actions & SMFIF_SETSYMLIST) != 0) {
        (void)smfi_setsymlist(ctx, SMFIM_CONNECT, (char *)"v {client_resolve}");
        (void)smfi_setsymlist(ctx, SMFIM_ENVFROM, (char *)"i {auth_authen}");
        (void)smfi_setsymlist(ctx, SMFIM_ENVRCPT,
                              session->hears_refused ? (char *)"i {rcpt_addr} {rcpt_mailer}"
                                                     : (char *)"i {rcpt_addr}");
        (void)smfi_setsymlist(ctx, SMFIM_EOM, (char *)"i");
    }
    return SMFIS_CONTINUE;
}

/* Programs may read the log line, so a host name must not break it. */
static void copy_host(char *out, const char *host)
{
    size_t i = 0;
    for (; host != NULL && host[i] != '\0' && i < HOST_SIZE - 1; i++)
        out[i] = host[i] <= ' ' || host[i] == 0x7f ? '?' : host[i];
    out[i] = '\0';
}

/* Postfix shows mail from sendmail(1) as 127.0.0.1 without a port, which every TCP client has. Any other address
 * without a port is that of a client behind a proxy. */
static bool may_be_local(const struct sockaddr *address)
{
    if (address == NULL || address->sa_family != AF_INET)
        return false;
    const struct sockaddr_in *inet = (const struct sockaddr_in *)(const void *)address;
    return inet->sin_port == 0 && inet->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

static bool is_postfix(SMFICTX *ctx)
{
    static const char name[] = "Postfix";
    const char *version = smfi_getsymval(ctx, (char *)"v");
    return version != NULL && strncmp(version, name, sizeof name - 1) == 0;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL && (session = session_new(ctx)) == NULL)
        return SMFIS_TEMPFAIL;
    copy_host(session->host, host);
    /* Sendmail passes the name of any PTR record. Both MTAs say here whether it resolves to the address. */
    const char *resolves = smfi_getsymval(ctx, (char *)"{client_resolve}");
    bool confirmed = resolves != NULL && strcmp(resolves, "OK") == 0;
    session->client.confirmed_name = confirmed ? session->host : NULL;
    session->client.has_ip = ip_from_sockaddr(&session->client.ip, address);
    session->may_be_local = may_be_local(address);
    session->forwards.postfix = is_postfix(ctx);
    return session->no_reply_connect ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static void copy_sender(char *out, const char *path)
{
    size_t length = envelope_path_length(path);
    const char *mailbox = envelope_mailbox(path, &length);
    if (length >= SENDER_SIZE)
        length = SENDER_SIZE - 1;
    memcpy(out, mailbox, length);
    out[length] = '\0';
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
    struct session *session = smfi_getpriv(ctx);
    size_t length;
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    copy_sender(session->sender, args[0]);

    const char *user = smfi_getsymval(ctx, (char *)"{auth_authen}");
    session->client.authenticated = user != NULL && *user != '\0';
    session->client.smtputf8 = envelope_parameter(args, "SMTPUTF8", &length) != NULL;
    /* Without angle brackets it is local mail. It has no parameters then, and Postfix detects itself what needs
     * UTF-8. */
    if (session->may_be_local && args[0][0] != '<') {
        session->client.has_ip = false;
        session->client.smtputf8 = true;
    }
    return session->no_reply_mail ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* ---- a recipient */

static void log_answer(SMFICTX *ctx, const struct session *session, const char *recipient,
                       const struct answer *answer, bool counts)
{
    if (!report_wants(answer)) /* true of most, and libmilter would search all macros */
        return;
    const struct report report = {.id = smfi_getsymval(ctx, (char *)"i"),
                                  .host = session->host,
                                  .client = &session->client,
                                  .sender = session->sender,
                                  .sender_length = strlen(session->sender),
                                  .recipient = recipient,
                                  .answer = answer,
                                  .counts = counts};
    report_answer(&report);
}

/* For a failure of our own: the sender tries again. */
static sfsistat tempfail(SMFICTX *ctx, const char *text)
{
    (void)smfi_setreply(ctx, (char *)"451", (char *)"4.3.0", (char *)text);
    return SMFIS_TEMPFAIL;
}

/* smfi_setreply takes the text as a format in which only "%%" is allowed. Postfix drops a single '%', and Sendmail
 * refuses the whole reply. */
static int set_reply(SMFICTX *ctx, const struct reply *reply)
{
    char *code = (char *)reply->code, *enhanced = (char *)reply->enhanced;
    char doubled[REPLY_LINES_MAX][2 * REPLY_LINE_MAX + 1], *line[REPLY_LINES_MAX] = {NULL};

    for (unsigned i = 0; i < reply->lines; i++)
        line[i] = (char *)reply_double_percent(doubled[i], reply->text[i]); /* not const there */
    if (reply->lines == 1)
        return smfi_setreply(ctx, code, enhanced, line[0]);
    static_assert(REPLY_LINES_MAX == 8, "as many arguments as lines, and a NULL behind them");
    return smfi_setmlreply(ctx, code, enhanced, line[0], line[1], line[2], line[3], line[4],
                           line[5], line[6], line[7], NULL);
}

/* If libmilter rejects the reply, its own text is a 550: that would refuse the recipient for good. */
static sfsistat refuse(SMFICTX *ctx, const struct reply *reply)
{
    if (set_reply(ctx, reply) == MI_SUCCESS)
        return reply->code[0] == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL;

    log_line(LOG_ERR, "libmilter does not take the reply %s %s %s: answered 451", reply->code,
             reply->enhanced, reply->text[0]);
    return tempfail(ctx, "Internal error");
}

/* Keeps the recipient in the message, unchanged or to be replaced. */
static sfsistat take(SMFICTX *ctx, struct session *session, char **args,
                     const struct answer *answer, bool forward)
{
    char old[ADDRESS_TEXT_SIZE];
    int rc;
    if (forward) {
        answer_format_old(old, answer);
        rc = forward_note(&session->forwards, args, old, answer->new);
    } else {
        rc = forward_note_staying(&session->forwards, args);
    }
    return rc == 0 ? SMFIS_CONTINUE
                   : tempfail(ctx, "Cannot take this recipient now; try again later");
}

/* The address that Postfix looks up in its maps. Sendmail's macro holds the result of its tables instead, which do
 * not decide what it accepts. */
static const char *rcpt_addr(void *ctx)
{
    return smfi_getsymval(ctx, (char *)"{rcpt_addr}");
}

/* Whether the mail server refuses the recipient, whatever the milter says: {rcpt_addr} is then its reply, and no
 * address (smtpd_milter.c of Postfix, srvrsmtp.c of Sendmail). */
static bool is_refused(SMFICTX *ctx, const struct session *session)
{
    const char *mailer =
        session->hears_refused ? smfi_getsymval(ctx, (char *)"{rcpt_mailer}") : NULL;
    return mailer != NULL && strcmp(mailer, "error") == 0;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
    struct session *session = smfi_getpriv(ctx);
    struct answer answer;
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    bool refused = is_refused(ctx, session);

    const struct question question = {.recipient = args[0],
                                      .length = envelope_path_length(args[0]),
                                      .resolve =
                                          session->forwards.postfix && !refused ? rcpt_addr : NULL,
                                      .data = ctx,
                                      .client = session->client,
                                      .now = time(NULL)};
    bool enforces = service_ask(&answer, &question), counts = enforces && !refused;
    /* When Sendmail refuses, the map reply may be the reason, and it has counted the mail. */
    if (counts || !enforces)
        hits_queue_add(&answer, session->sender, strlen(session->sender), question.now);
    counters_count(counts ? COUNTERS_MILTER : COUNTERS_OBSERVED, answer.rule);
    log_answer(ctx, session, args[0], &answer, counts);
    report_limit(&answer, &session->client, session->host);
    if (counts && answer.verdict == VERDICT_REPLY)
        return refuse(ctx, &answer.reply);
    if (refused)
        return SMFIS_CONTINUE;
    return take(ctx, session, args, &answer, counts && answer.verdict == VERDICT_FORWARD);
}

/* ---- after the recipients */

static sfsistat on_eom(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    int rc = 0;
    if (session == NULL)
        return SMFIS_CONTINUE;
    if (session->forwards.first != NULL)
        rc = forward_carry_out(&session->forwards, ctx);
    forward_forget(&session->forwards);
    if (rc == 0)
        return SMFIS_CONTINUE;
    log_line(LOG_ERR, "the mail server does not let a recipient be replaced: message deferred");
    return tempfail(ctx, "Cannot forward this message now; try again later");
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL)
        forward_forget(&session->forwards);
    return SMFIS_CONTINUE;
}

int session_register(struct error *err)
{
    struct smfiDesc description = {.xxfi_name = (char *)"milter-moved",
                                   .xxfi_version = SMFI_VERSION,
                                   .xxfi_flags = ACTIONS,
                                   .xxfi_connect = on_connect,
                                   .xxfi_envfrom = on_mail,
                                   .xxfi_envrcpt = on_rcpt,
                                   .xxfi_eom = on_eom,
                                   .xxfi_abort = on_abort,
                                   .xxfi_close = on_close,
                                   .xxfi_negotiate = on_negotiate};

    if (smfi_register(description) != MI_SUCCESS)
        return error_set(err, EX_SOFTWARE,
                         "libmilter does not take the callbacks: use libmilter 8.14 or later");
    return 0;
}
