/* mta/postfix/postfix_symptoms.c: the symptoms of a Postfix: postconf(5), master(5) */
#include "mta/postfix/postfix_view.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_unix(const char *socket)
{
    return strncmp(socket, "unix:", 5) == 0;
}

static bool is_on(const char *value)
{
    return strcmp(value, "yes") == 0;
}

static bool has_listed(const char *list)
{
    const char *at = strstr(list, "socketmap:");
    return at != NULL && strstr(at, ":listed") != NULL;
}

/* ---- symptoms of the configuration */

static bool is_softened(struct exam *exam)
{
    return is_on(postfix_of_service(exam, "soft_bounce"));
}

static bool is_in_non_smtpd(struct exam *exam)
{
    struct milter milter;
    if (!postfix_find_us(exam, postfix_of_server(exam, "non_smtpd_milters"), &milter))
        return false;
    exam_fact(exam, "non_smtpd", "%s", postfix_of_server(exam, "non_smtpd_milters"));
    return true;
}

static bool has_footer(struct exam *exam)
{
    return !postfix_is_blank(postfix_of_service(exam, "smtpd_reject_footer")) ||
           !postfix_is_blank(postfix_of_service(exam, "smtpd_reject_footer_maps"));
}

static bool has_narrow_limits(struct exam *exam)
{
    long hard = atol(postfix_of_service(exam, "smtpd_hard_error_limit"));
    exam_fact(exam, "hard", "%ld", hard);
    exam_fact(exam, "soft", "%s", postfix_of_service(exam, "smtpd_soft_error_limit"));
    exam_fact(exam, "entries", "%zu", exam->entries);
    return hard > 0 && (size_t)hard <= exam->entries;
}

static bool has_relocated(struct exam *exam)
{
    exam_fact(exam, "relocated", "%s", postfix_of_server(exam, "relocated_maps"));
    return strstr(postfix_of_server(exam, "relocated_maps"), postfix_lookup_path(exam)) != NULL;
}

/* Where a recipient is verified, unless those that are listed pass before. */
static bool verifies(struct exam *exam)
{
    static const char *const lists[] = {"smtpd_client_restrictions", "smtpd_helo_restrictions",
                                        "smtpd_sender_restrictions", "smtpd_relay_restrictions",
                                        "smtpd_recipient_restrictions"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *list = postfix_of_service(exam, lists[i]),
                   *at = strstr(list, "reject_unverified_recipient");
        const char *passes = strstr(list, ":listed");
        if (at != NULL && (passes == NULL || passes > at)) {
            exam_fact(exam, "list", "%s", lists[i]);
            return true;
        }
    }
    return false;
}

static bool any_map_has_listed(const struct exam *exam)
{
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++)
        if (has_listed(postfix_of_service(exam, postfix_class_maps((enum postfix_class)kind))))
            return true;
    return false;
}

/* proxymap(8) opens only what it is told it may. */
static bool lacks_proxy_read(struct exam *exam)
{
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++) {
        const char *list = postfix_of_service(exam, postfix_class_maps((enum postfix_class)kind));
        if (strstr(list, "proxy:socketmap:") != NULL && has_listed(list))
            return !has_listed(postfix_of_server(exam, "proxy_read_maps"));
    }
    return false;
}

static bool may_not_look_up(struct exam *exam)
{
    exam_fact(exam, "lookups", "%s", postfix_lookup_path(exam));
    return any_map_has_listed(exam) && is_unix(exam->settings->lookup_socket) &&
           !exam_reaches(exam, postfix_lookup_path(exam), exam->postfix->owner);
}

static bool looks_up_elsewhere(struct exam *exam)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof name, "%s:listed", postfix_lookup_path(exam));
    exam_fact(exam, "lookups", "%s", postfix_lookup_path(exam));
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++) {
        const char *list = postfix_of_service(exam, postfix_class_maps((enum postfix_class)kind));
        exam_fact(exam, "maps", "%s", postfix_class_maps((enum postfix_class)kind));
        exam_fact(exam, "maps_value", "%s", list);
        if (has_listed(list) && strstr(list, name) == NULL)
            return true;
    }
    return false;
}

/* ---- of a service */

/* Its milters may be switched off; then it is meant so. */
static bool is_door(const struct exam *exam)
{
    return exam->postfix->service != NULL && exam->postfix->service == exam->postfix->door;
}

/* How often the service's line in master.cf sets the parameter. */
static int count_options(const struct service *service, const char *name)
{
    int count = 0;
    for (const char *at = service->line->text; (at = strstr(at, name)) != NULL;) {
        at += strlen(name);
        count += at[strspn(at, " \t")] == '=';
    }
    return count;
}

/* Whether a list is another one with a piece of ours put in, whatever blanks are between the items. true if it does not
 * have the piece: then it is not ours. */
static bool is_with_piece(const char *list, const char *piece, const char *other)
{
    const char *at = *piece == '\0' ? NULL : strstr(list, piece);
    if (at == NULL)
        return true;
    for (;; list++, other++) {
        list += strspn(list, " \t");
        if (list == at)
            list += strlen(piece);
        list += strspn(list, " \t");
        other += strspn(other, " \t");
        if (*list != *other || *list == '\0')
            return *list == *other;
    }
}

/* attach copies the lists of main.cf to the service, with our map or restriction in them. */
static bool is_outdated(struct exam *exam)
{
    const struct service *service = exam->postfix == NULL ? NULL : exam->postfix->service;
    char refusal[4096];
    snprintf(refusal, sizeof refusal, "check_recipient_access %s",
             postfix_of_server(exam, "moved_domains"));
    const char *listed = postfix_of_server(exam, "moved_listed");
    const struct {
        const char *name, *piece;
    } lists[] = {
        {postfix_class_maps(POSTFIX_LOCAL), listed},   {postfix_class_maps(POSTFIX_ALIAS), listed},
        {postfix_class_maps(POSTFIX_VIRTUAL), listed}, {postfix_class_maps(POSTFIX_RELAY), listed},
        {"smtpd_relay_restrictions", refusal},         {"smtpd_recipient_restrictions", refusal}};
    for (size_t i = 0; service != NULL && i < sizeof lists / sizeof *lists; i++) {
        const char *name = lists[i].name;
        if (count_options(service, name) !=
            1) /* 0: main.cf's counts; 2: the first was the service's own */
            continue;
        exam_fact(exam, "maps", "%s", name);
        if (!is_with_piece(postfix_of_service(exam, name), lists[i].piece,
                           postfix_of_server(exam, name)))
            return true;
    }
    return false;
}

static bool accepts_what_nobody_refuses(struct exam *exam)
{
    struct milter us;
    return exam->postfix != NULL && any_map_has_listed(exam) && !postfix_has_us(exam, &us);
}

static bool is_not_attached(struct exam *exam)
{
    struct milter us;
    return exam->postfix != NULL && is_door(exam) && !postfix_has_us(exam, &us);
}

static bool is_out_of_chroot(struct exam *exam)
{
    struct milter us;
    const char *socket = exam->settings->socket;
    exam_fact(exam, "socket", "%s", socket);
    return postfix_has_us(exam, &us) && exam->postfix->service != NULL &&
           exam->postfix->service->chroot && is_unix(socket) &&
           postfix_inside_queue(exam, socket + 5) == NULL;
}

static bool is_elsewhere(struct exam *exam)
{
    struct milter us;
    if (!postfix_has_us(exam, &us) || postfix_leads_to_us(exam, us.address))
        return false;
    exam_fact(exam, "address", "%s", us.address);
    exam_fact(exam, "socket", "%s", exam->settings->socket);
    return true;
}

static bool may_not_connect(struct exam *exam)
{
    struct milter us;
    const char *socket = exam->settings->socket;
    return is_unix(socket) && postfix_has_us(exam, &us) &&
           !exam_reaches(exam, socket + 5, exam->postfix->owner);
}

/* What smtpd does when it does not reach us. */
static bool has_other_default(struct exam *exam)
{
    static const char key[] = "default_action";
    struct milter us;
    if (!postfix_has_us(exam, &us))
        return false;
    char action[32] = "";
    const char *own = strstr(us.options, key);
    const char *value =
        own == NULL ? postfix_of_service(exam, "milter_default_action") : own + strlen(key);
    (void)sscanf(value + strspn(value, " ="), "%31[^, }]", action);
    exam_fact(exam, "action", "%s", action);
    return strcmp(action, "tempfail") != 0;
}

/* ---- of a domain */

static bool is_unserved(struct exam *exam)
{
    if (exam->turn_of->kind != POSTFIX_NONE)
        return false;
    return strstr(postfix_of_service(exam, "smtpd_relay_restrictions"), "moved_unserved") == NULL &&
           strstr(postfix_of_service(exam, "smtpd_recipient_restrictions"), "moved_unserved") ==
               NULL;
}

static bool lacks_listed(struct exam *exam)
{
    struct milter us;
    const char *list = exam_fact_value(exam, "maps_value");
    return postfix_has_us(exam, &us) && exam->turn_of->kind != POSTFIX_NONE &&
           (!postfix_is_blank(list) || exam->turn_of->kind == POSTFIX_ALIAS) && !has_listed(list) &&
           *exam->settings->lookup_socket != '\0';
}

static bool has_listed_alone(struct exam *exam)
{
    const char *list = exam_fact_value(exam, "maps_value");
    return exam->turn_of->kind != POSTFIX_ALIAS && /* where an empty list refuses all */
           has_listed(list) && strpbrk(list + strspn(list, ", "), ", ") == NULL;
}

/* The maps of these classes are read by others than smtpd. */
static bool has_listed_for_all(struct exam *exam)
{
    const struct domain *domain = exam->turn_of;
    return (domain->kind == POSTFIX_VIRTUAL || domain->kind == POSTFIX_ALIAS) &&
           has_listed(postfix_of_server(exam, postfix_class_maps(domain->kind)));
}

/* ---- the replies that these lead to */

static bool shows_soft(struct exam *exam)
{
    return reply_class_of(exam) == 4;
}

static bool shows_more(struct exam *exam)
{
    return reply_begins_as_ours(exam);
}

static bool shows_verified(struct exam *exam)
{
    return reply_says(exam, "unverified address") || reply_says(exam, "undeliverable address");
}

static bool shows_lookup_failure(struct exam *exam)
{
    return exam->lookups_answer && reply_class_of(exam) == 4 && reply_says(exam, "lookup failure");
}

static bool shows_no_milter(struct exam *exam)
{
    return exam->milter_answers && reply_class_of(exam) == 4 &&
           reply_says(exam, "Service unavailable");
}

static bool shows_no_us(struct exam *exam)
{
    return exam->now->expected.verdict == VERDICT_REPLY &&
           (reply_class_of(exam) == 2 || reply_says(exam, "user unknown"));
}

/* The map listed without the milter: it says yes while some other session is open, and TEMP just after the
 * daemon's start. */
static bool shows_map_alone(struct exam *exam)
{
    return shows_no_us(exam) ||
           (exam->now->expected.verdict == VERDICT_REPLY && shows_lookup_failure(exam));
}

static bool shows_default(struct exam *exam)
{
    return reply_class_of(exam) == 2 || reply_says(exam, "Service unavailable") ||
           reply_says(exam, "5.5.0");
}

static bool shows_unknown(struct exam *exam)
{
    return reply_class_of(exam) >= 4 && reply_says(exam, "user unknown") &&
           exam->now->expected.verdict != VERDICT_CONTINUE;
}

static bool shows_denied(struct exam *exam)
{
    return reply_says(exam, "relay access denied");
}

/* ---- symptoms of replies alone */

/* The map then says TEMP. */
static bool lacks_table(struct exam *exam)
{
    const char *table = exam_fact_value(exam, "daemon_table");
    return shows_lookup_failure(exam) && *table != '\0' && strcmp(table, "good") != 0;
}

static bool is_passed_over(struct exam *exam)
{
    return shows_map_alone(exam) &&
           !postfix_is_blank(postfix_of_service(exam, "smtpd_milter_maps"));
}

static bool relays_for_us(struct exam *exam)
{
    return exam->postfix != NULL && exam->now->invented && exam->turn_of->kind == POSTFIX_NONE &&
           reply_class_of(exam) == 2;
}

static bool is_relocated(struct exam *exam)
{
    return reply_says(exam, "user has moved to");
}

static bool is_other_milter(struct exam *exam)
{
    return shows_no_milter(exam);
}

static bool is_other_lookup(struct exam *exam)
{
    return shows_lookup_failure(exam);
}

/* clang-format off */
const struct symptom postfix_symptoms[] = {
    {"listed-without-milter", FAULT, OF_SERVICE, accepts_what_nobody_refuses, shows_map_alone,
     "DANGEROUS: the service ${service} asks the map listed of milter-moved, but not its milter: while another "
     "session with the milter is open it accepts mail for mailboxes that are gone, and bounces it later.",
     "take ${listed} out of the service's maps (-o in ${master}, and main.cf), and ${reload}; or give it the "
     "milter: ${attach}"},
    {"not-attached", FAULT, OF_SERVICE, is_not_attached, shows_no_us,
     "The service ${service}, which listens there, has no milter-moved in its smtpd_milters (${milters}).",
     "${attach}"},
    {"socket-out-of-chroot", FAULT, OF_SERVICE, is_out_of_chroot, shows_no_milter,
     "The service ${service} is confined to ${queue} (chroot in ${master}), and milter-moved listens outside "
     "of it: ${socket}.",
     "socket = \"unix:${queue}/milter-moved/milter.sock\"; in ${conf}, and start milter-moved anew (${attach} "
     "does that)"},
    {"socket-elsewhere", FAULT, OF_SERVICE, is_elsewhere, shows_no_milter,
     "The service ${service} looks for milter-moved at ${address}, and it listens on ${socket}.",
     "in smtpd_milters, in the place of ${address}: { ${milter}, default_action=tempfail }; and ${reload}"},
    {"socket-access", FAULT, OF_SERVICE, may_not_connect, shows_no_milter,
     "smtpd does not get at the milter's socket: ${stops}.",
     "${let}"},
    {"default-action", FAULT, OF_SERVICE, has_other_default, shows_default,
     "While milter-moved is down the service ${service} does '${action}', and not tempfail.",
     "in smtpd_milters: { ${milter}, default_action=tempfail }; and ${reload}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, shows_denied,
     "Postfix does not take mail for ${domain} any more: a stranger gets 'Relay access denied', and not the "
     "new address.",
     "${attach_unserved}"},
    {"listed-missing", FAULT, OF_DOMAIN, lacks_listed, shows_unknown,
     "${domain} is of class ${class}, and the service ${service} does not ask the map listed for it (${maps} "
     "= ${maps_value}): a mailbox that was removed is unknown, and no milter is heard.",
     "${attach}; or in ${master}, with the service: -o { ${maps} = ${maps_value} ${listed} }"},
    {"listed-alone", FAULT, OF_DOMAIN, has_listed_alone, NULL,
     "${maps} has the map listed alone: all other mailboxes of class ${class} are unknown.",
     "take ${listed} out of ${maps}, which is then empty: every recipient is accepted, and the milter heard"},
    {"listed-for-all", FAULT, OF_DOMAIN, has_listed_for_all, NULL,
     "${maps} has the map listed in main.cf, where other programs than smtpd read it too: they would deliver "
     "to what they find there, or wait for it.",
     "take ${listed} out of ${maps} in main.cf, and ${attach}"},
    {"daemon-table", FAULT, OF_REPLY, lacks_table, NULL, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"proxy-read-maps", FAULT, OF_SERVER, lacks_proxy_read, shows_lookup_failure,
     "proxymap may not open the map listed: it is not in proxy_read_maps.",
     "add ${listed} to the end of proxy_read_maps (postconf proxy_read_maps), and ${reload}; ${attach} does "
     "that"},
    {"lookup-access", FAULT, OF_SERVER, may_not_look_up, shows_lookup_failure,
     "proxymap does not get at the lookup socket: ${stops}.",
     "${let}"},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, shows_lookup_failure,
     "${maps} = ${maps_value} looks for the map listed in another place than ${lookups}, where milter-moved "
     "listens.",
     "${attach}, after the old map is taken out"},
    {"attach-outdated", FAULT, OF_SERVICE, is_outdated, NULL,
     "${maps} has changed in main.cf since attach: the service ${service} still has a copy of the old list, and "
     "refuses mailboxes that were added since.",
     "${attach}, which shows what has changed"},
    {"soft-bounce", FAULT, OF_SERVER, is_softened, shows_soft,
     "soft_bounce = yes: every refusal for good is one for now, so senders try again for days and are never "
     "told.",
     "${postconf} 'soft_bounce = no', and ${reload}"},
    {"recipients-verified", FAULT, OF_SERVER, verifies, shows_verified,
     "${list} has reject_unverified_recipient: Postfix asks where the mailbox is delivered, before any milter "
     "is heard, and a mailbox that was removed is not there.",
     "in ${list}, before reject_unverified_recipient: check_recipient_access pipemap:{${listed}, static:OK}; "
     "and ${reload}"},
    {"non-smtpd-milters", FAULT, OF_SERVER, is_in_non_smtpd, NULL,
     "non_smtpd_milters = ${non_smtpd} has milter-moved: nothing can be refused there, and mail of "
     "sendmail(1) and cron waits while milter-moved is down.",
     "take ${milter} out of non_smtpd_milters, and ${reload}"},
    {"relocated-maps", NOTE, OF_SERVER, has_relocated, NULL,
     "relocated_maps asks milter-moved too: it answers 550 without limits, where the milter would say 551.",
     "take it out of relocated_maps: it is for hosts without the milter"},
    {"reject-footer", NOTE, OF_SERVER, has_footer, shows_more,
     "smtpd_reject_footer adds to each reply. The first line still has the new address.",
     "${postconf} 'smtpd_reject_footer =', if the reply is to be as it was"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL,
     "Postfix waits a second before each reply after ${soft} refused recipients in a session, and after "
     "${hard} ends it with 421, good recipients with it; the table has ${entries} entries. A list server that "
     "still has many of them has to come again and again: that costs time, not mail.",
     "${attach_limits}"},
    {"relocated-answers", FAULT, OF_REPLY, is_relocated, NULL,
     "relocated_maps answers before milter-moved: ${got}.",
     "take the table that has ${recipient} out of relocated_maps (movedctl import --format relocated reads it)"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, NULL,
     "${domain} is not served here, but clients in mynetworks, as we are, may send mail through this server "
     "to any domain.",
     ""},
    {"milter-maps", FAULT, OF_REPLY, is_passed_over, NULL,
     "smtpd_milter_maps chooses other milters for some clients, us perhaps.",
     "postconf smtpd_milter_maps; ask from another address"},
    {"other-milter", FAULT, OF_REPLY, is_other_milter, NULL,
     "Postfix does not reach one of its milters (${milters}): ${got}. milter-moved itself answers.",
     "its log names the milter ('connect to Milter service'): start that; or ${reload}, if the configuration "
     "changed"},
    {"lookup-failed", FAULT, OF_REPLY, is_other_lookup, NULL,
     "One of the tables that Postfix needs for this recipient cannot be asked: ${got}. milter-moved itself "
     "answers.",
     "its log names the table ('table lookup problem')"},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */
