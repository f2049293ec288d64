/* SPDX-License-Identifier: BSD-3-Clause */
/* One synchronous connection to Redis. Threads and memory: see connection.h. */
#include "config.h"

#include "store/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PASSWORD_MAX 512
#define ATTEMPTS 5

struct sinkhole_store {
    const struct sinkhole_settings *settings;
    redisContext *context;
    unsigned waiting; /* replies not yet taken */
    bool transient;   /* the last failure may be over in a moment */
    char where[160];
    char what[160];
    char error[768];
};

/* --- errors --- */

const char *sinkhole_store_status_text(enum sinkhole_store_status status)
{
    static const char *const texts[] = {
        [SINKHOLE_STORE_OK] = "done",
        [SINKHOLE_STORE_RETRY] = "Redis cannot do it just now",
        [SINKHOLE_STORE_RECONNECT] = "no usable connection to Redis",
        [SINKHOLE_STORE_MOVED] = "the key lives on another node",
        [SINKHOLE_STORE_OPERATOR] = "Redis refuses: an operator must look",
        [SINKHOLE_STORE_CONFLICT] = "somebody else published in between",
        [SINKHOLE_STORE_ABSENT] = "not there",
        [SINKHOLE_STORE_DAMAGED] = "what Redis holds contradicts itself",
        [SINKHOLE_STORE_DUPLICATE] = "stored already",
        [SINKHOLE_STORE_INVALID] = "not a valid request",
        [SINKHOLE_STORE_NO_MEMORY] = "no memory",
    };

    if ((size_t)status >= sizeof(texts) / sizeof(texts[0]))
        return "unknown status";
    return texts[status];
}

/* Beginnings of error replies, first match decides. */
static const struct error_class {
    const char *prefix;
    enum sinkhole_store_status status;
    bool transient; /* worth another attempt within a second */
    const char *next;
} error_classes[] = {
    {"LOADING", SINKHOLE_STORE_RETRY, true, "Redis is loading its data, wait"},
    {"BUSY", SINKHOLE_STORE_RETRY, true, "a script or function blocks Redis, wait or kill it"},
    {"TRYAGAIN", SINKHOLE_STORE_RETRY, true, "try again"},
    {"OOM", SINKHOLE_STORE_RETRY, false, "give Redis more memory (maxmemory) or free some"},
    {"MISCONF", SINKHOLE_STORE_RETRY, false, "Redis cannot save to its disk, see its log"},
    {"NOREPLICAS", SINKHOLE_STORE_RETRY, false, "too few replicas are connected"},
    {"ERR max number of clients", SINKHOLE_STORE_RETRY, true, "raise Redis's maxclients"},
    {"READONLY", SINKHOLE_STORE_RECONNECT, false, "this Redis is a replica, name the primary"},
    {"MASTERDOWN", SINKHOLE_STORE_RECONNECT, false, "the replica has lost its primary"},
    {"CLUSTERDOWN", SINKHOLE_STORE_RECONNECT, false, "the cluster is not complete"},
    {"UNBLOCKED", SINKHOLE_STORE_RECONNECT, false, "this Redis became a replica"},
    {"MOVED", SINKHOLE_STORE_MOVED, false, "name the node that holds the key"},
    {"ASK", SINKHOLE_STORE_MOVED, false, "the key is moving between nodes, wait"},
    {"NOAUTH", SINKHOLE_STORE_OPERATOR, false, "set redis: user and password_file"},
    {"WRONGPASS", SINKHOLE_STORE_OPERATOR, false, "check redis: user and password_file"},
    {"NOPERM", SINKHOLE_STORE_OPERATOR, false, "the ACL of this user lacks a command or key"},
    {"WRONGTYPE", SINKHOLE_STORE_OPERATOR, false, "the key holds something else than ours"},
    {"DENIED", SINKHOLE_STORE_OPERATOR, false, "Redis is in protected mode"},
    {"ERR The ID specified in XADD is equal or smaller", SINKHOLE_STORE_DUPLICATE, false,
     "it is stored already"},
    {"ERR AUTH", SINKHOLE_STORE_OPERATOR, false, "Redis has no password set, remove password_file"},
    {"ERR invalid password", SINKHOLE_STORE_OPERATOR, false, "check redis: password_file"},
};

static const struct error_class *find_class(const char *error, size_t len)
{
    static const char because[] = "because of: ";

    if (len > 9 && memcmp(error, "EXECABORT", 9) == 0) {
        const char *at = memmem(error, len, because, sizeof(because) - 1);

        if (at != NULL) {
            at += sizeof(because) - 1;
            return find_class(at, len - (size_t)(at - error));
        }
    }
    for (size_t i = 0; i < sizeof(error_classes) / sizeof(error_classes[0]); i++) {
        size_t prefix = strlen(error_classes[i].prefix);

        if (len >= prefix && memcmp(error, error_classes[i].prefix, prefix) == 0)
            return &error_classes[i];
    }
    return NULL;
}

enum sinkhole_store_status sinkhole_store_classify(const char *error, size_t len)
{
    const struct error_class *class = find_class(error, len);

    return class == NULL ? SINKHOLE_STORE_OPERATOR : class->status;
}

void sinkhole_store_begin(struct sinkhole_store *store, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    vsnprintf(store->what, sizeof(store->what), what, args);
    va_end(args);
    store->error[0] = '\0';
    store->transient = false;
}

/* Nothing that steers a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

enum sinkhole_store_status sinkhole_store_fail(struct sinkhole_store *store,
                                               enum sinkhole_store_status status, const char *why,
                                               ...)
{
    char text[512];
    va_list args;

    va_start(args, why);
    vsnprintf(text, sizeof(text), why, args);
    va_end(args);
    snprintf(store->error, sizeof(store->error), "%s: %s", store->what, text);
    make_printable(store->error);
    return status;
}

enum sinkhole_store_status sinkhole_store_no_memory(struct sinkhole_store *store)
{
    return sinkhole_store_fail(store, SINKHOLE_STORE_NO_MEMORY, "no memory");
}

static enum sinkhole_store_status fail_reply(struct sinkhole_store *store, const char *error,
                                             size_t len)
{
    const struct error_class *class = find_class(error, len);

    store->transient = class != NULL && class->transient;
    return sinkhole_store_fail(store, class == NULL ? SINKHOLE_STORE_OPERATOR : class->status,
                               "Redis at %s answered \"%.*s\"; %s", store->where,
                               (int)(len > 200 ? 200 : len), error,
                               class == NULL ? "see Redis's log and version" : class->next);
}

static void drop_context(struct sinkhole_store *store)
{
    if (store->context != NULL)
        redisFree(store->context);
    store->context = NULL;
    store->waiting = 0;
}

/* After REDIS_ERR or NULL from hiredis: the context is dead. */
static enum sinkhole_store_status fail_context(struct sinkhole_store *store, int error)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_RECONNECT;
    const redisContext *context = store->context;
    bool late = context->err == REDIS_ERR_IO && (error == EAGAIN || error == EWOULDBLOCK);

    store->transient = !late;
    if (context->err == REDIS_ERR_OOM)
        status = sinkhole_store_no_memory(store);
    else if (late)
        sinkhole_store_fail(
            store, status,
            "Redis at %s did not answer within %llu ms; see whether it is overloaded or stopped",
            store->where, (unsigned long long)store->settings->redis_command_timeout_ms);
    else
        sinkhole_store_fail(
            store, status, "the connection to Redis at %s broke (%s); see whether it runs",
            store->where, context->err == REDIS_ERR_IO ? strerror(error) : context->errstr);
    drop_context(store);
    return status;
}

const char *sinkhole_store_error(const struct sinkhole_store *store)
{
    return store->error;
}

/* --- connecting --- */

struct sinkhole_store *sinkhole_store_new(const struct sinkhole_settings *settings)
{
    struct sinkhole_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    store->settings = settings;
    if (settings->redis_socket[0] == '\0')
        snprintf(store->where, sizeof(store->where), "%s port %llu", settings->redis_host,
                 (unsigned long long)settings->redis_port);
    else
        snprintf(store->where, sizeof(store->where), "%s", settings->redis_socket);
    return store;
}

struct sinkhole_store *sinkhole_store_new_like(const struct sinkhole_store *store)
{
    struct sinkhole_store *other = sinkhole_store_new(store->settings);

    if (other != NULL)
        memcpy(other->what, store->what, sizeof(other->what));
    return other;
}

void sinkhole_store_adopt_error(struct sinkhole_store *store, const struct sinkhole_store *other)
{
    if (other->error[0] != '\0')
        memcpy(store->error, other->error, sizeof(store->error));
}

void sinkhole_store_free(struct sinkhole_store *store)
{
    if (store == NULL)
        return;
    drop_context(store);
    free(store);
}

static struct timeval to_timeval(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

/* The password without its line end. OPERATOR: unreadable, or others could read it. */
static enum sinkhole_store_status read_password(struct sinkhole_store *store,
                                                char password[PASSWORD_MAX])
{
    const char *path = store->settings->redis_password_file;
    enum sinkhole_store_status status = SINKHOLE_STORE_OPERATOR;
    struct stat st;
    ssize_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return sinkhole_store_fail(store, status, "password file %s: %s; give this user access",
                                   path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 0037) != 0) {
        sinkhole_store_fail(store, status,
                            "password file %s: not a file of mode 0600 or 0640; "
                            "chmod 0640 it",
                            path);
        goto out;
    }
    len = read(fd, password, PASSWORD_MAX);
    if (len < 0 || len == PASSWORD_MAX) {
        sinkhole_store_fail(store, status, "password file %s: unreadable or over %d octets", path,
                            PASSWORD_MAX - 1);
        goto out;
    }
    password[len] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    status = SINKHOLE_STORE_OK;
out:
    close(fd);
    return status;
}

/* One command on a new context. */
static enum sinkhole_store_status hello(struct sinkhole_store *store, const char *format,
                                        const char *first, const char *second)
{
    redisReply *reply = redisCommand(store->context, format, first, second);
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;

    if (reply == NULL)
        return fail_context(store, errno);
    if (reply->type == REDIS_REPLY_ERROR) {
        status = fail_reply(store, reply->str, reply->len);
        drop_context(store);
    }
    freeReplyObject(reply);
    return status;
}

static enum sinkhole_store_status introduce(struct sinkhole_store *store)
{
    const struct sinkhole_settings *settings = store->settings;
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    char password[PASSWORD_MAX], database[8];

    if (settings->redis_password_file[0] != '\0') {
        status = read_password(store, password);
        if (status != SINKHOLE_STORE_OK)
            drop_context(store);
        else if (settings->redis_user[0] != '\0')
            status = hello(store, "AUTH %s %s", settings->redis_user, password);
        else
            status = hello(store, "AUTH %s", password, NULL);
        explicit_bzero(password, sizeof(password));
    }
    if (status == SINKHOLE_STORE_OK && settings->redis_database != 0) {
        snprintf(database, sizeof(database), "%u", (unsigned)settings->redis_database);
        status = hello(store, "SELECT %s", database, NULL);
    }
    return status;
}

static enum sinkhole_store_status connect_once(struct sinkhole_store *store)
{
    const struct sinkhole_settings *settings = store->settings;
    struct timeval wait = to_timeval(settings->redis_connect_timeout_ms);
    enum sinkhole_store_status status;

    if (store->context != NULL)
        return SINKHOLE_STORE_OK;
    store->transient = false;
    if (settings->redis_socket[0] == '\0')
        store->context =
            redisConnectWithTimeout(settings->redis_host, (int)settings->redis_port, wait);
    else
        store->context = redisConnectUnixWithTimeout(settings->redis_socket, wait);
    if (store->context == NULL)
        return sinkhole_store_no_memory(store);
    if (store->context->err != 0) {
        store->transient = true;
        status = sinkhole_store_fail(store, SINKHOLE_STORE_RECONNECT,
                                     "cannot connect to Redis at %s (%s); see whether it runs and "
                                     "whether redis: socket or host is right",
                                     store->where, store->context->errstr);
        drop_context(store);
        return status;
    }
    fcntl(store->context->fd, F_SETFD, FD_CLOEXEC);
    wait = to_timeval(settings->redis_command_timeout_ms);
    if (redisSetTimeout(store->context, wait) != REDIS_OK)
        return fail_context(store, errno);
    return introduce(store);
}

void sinkhole_store_back_off(unsigned attempt)
{
    struct timespec wait = {.tv_nsec = 25000000L << (attempt > 4 ? 4 : attempt)};

    nanosleep(&wait, NULL);
}

/* --- commands --- */

static enum sinkhole_store_status take_reply(struct sinkhole_store *store, redisReply **ret_reply)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    redisReply *reply = NULL;

    if (redisGetReply(store->context, (void **)&reply) != REDIS_OK)
        return fail_context(store, errno);
    store->waiting--;
    if (reply->type == REDIS_REPLY_ERROR)
        status = fail_reply(store, reply->str, reply->len);
    if (status != SINKHOLE_STORE_OK || ret_reply == NULL) {
        freeReplyObject(reply);
        return status;
    }
    *ret_reply = reply;
    return status;
}

static enum sinkhole_store_status call_formatted(struct sinkhole_store *store,
                                                 enum sinkhole_call again, redisReply **ret_reply,
                                                 const char *command, size_t len)
{
    enum sinkhole_store_status status;

    if (store->waiting > 0) /* a visitor calls the store that reads for it */
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                   "this connection is in the middle of another call");
    for (unsigned attempt = 1;; attempt++) {
        status = connect_once(store);
        if (status == SINKHOLE_STORE_OK) {
            if (redisAppendFormattedCommand(store->context, command, len) != REDIS_OK)
                return fail_context(store, errno);
            store->waiting++;
            status = take_reply(store, ret_reply);
        }
        if (status == SINKHOLE_STORE_OK || again == SINKHOLE_CALL_ONCE || attempt == ATTEMPTS ||
            !store->transient)
            return status;
        sinkhole_store_back_off(attempt);
    }
}

enum sinkhole_store_status sinkhole_store_call(struct sinkhole_store *store,
                                               enum sinkhole_call again, redisReply **ret_reply,
                                               const char *format, ...)
{
    enum sinkhole_store_status status;
    char *command = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = redisvFormatCommand(&command, format, args);
    va_end(args);
    if (len < 0)
        return sinkhole_store_no_memory(store);
    status = call_formatted(store, again, ret_reply, command, (size_t)len);
    redisFreeCommand(command);
    return status;
}

enum sinkhole_store_status sinkhole_store_call_argv(struct sinkhole_store *store,
                                                    enum sinkhole_call again,
                                                    redisReply **ret_reply, int argc,
                                                    const char **argv, const size_t *lens)
{
    enum sinkhole_store_status status;
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, argc, argv, lens);

    if (len < 0)
        return sinkhole_store_no_memory(store);
    status = call_formatted(store, again, ret_reply, command, (size_t)len);
    redisFreeCommand(command);
    return status;
}

/* --- rows --- */

static enum sinkhole_store_status pipe_formatted(struct sinkhole_store *store, char *command,
                                                 int len)
{
    enum sinkhole_store_status status;

    if (len < 0)
        return sinkhole_store_no_memory(store);
    status = connect_once(store);
    if (status == SINKHOLE_STORE_OK &&
        redisAppendFormattedCommand(store->context, command, (size_t)len) != REDIS_OK)
        status = fail_context(store, errno);
    else if (status == SINKHOLE_STORE_OK)
        store->waiting++;
    redisFreeCommand(command);
    return status;
}

enum sinkhole_store_status sinkhole_pipe_add(struct sinkhole_store *store, const char *format, ...)
{
    char *command = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = redisvFormatCommand(&command, format, args);
    va_end(args);
    return pipe_formatted(store, command, len);
}

enum sinkhole_store_status sinkhole_pipe_add_argv(struct sinkhole_store *store, int argc,
                                                  const char **argv, const size_t *lens)
{
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, argc, argv, lens);

    return pipe_formatted(store, command, len);
}

enum sinkhole_store_status sinkhole_pipe_next(struct sinkhole_store *store, redisReply **ret_reply)
{
    if (store->context == NULL || store->waiting == 0)
        return sinkhole_store_fail(store, SINKHOLE_STORE_RECONNECT,
                                   "the connection to Redis at %s was lost", store->where);
    return take_reply(store, ret_reply);
}

unsigned sinkhole_pipe_waiting(const struct sinkhole_store *store)
{
    return store->waiting;
}

void sinkhole_pipe_drop(struct sinkhole_store *store)
{
    if (store->waiting > 0)
        drop_context(store);
}

void sinkhole_store_forget(struct sinkhole_store *store)
{
    drop_context(store);
}

/* The replies inside EXEC's: the others stand when one failed. */
static enum sinkhole_store_status check_exec(struct sinkhole_store *store, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL)
        return sinkhole_store_fail(store, SINKHOLE_STORE_CONFLICT,
                                   "somebody else published in between; look and try again");
    if (reply->type != REDIS_REPLY_ARRAY)
        return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "EXEC gave no array");
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *one = reply->element[i];

        if (one->type == REDIS_REPLY_ERROR)
            return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                       "command %zu inside EXEC failed (%.*s), the others stand",
                                       i + 1, (int)(one->len > 200 ? 200 : one->len), one->str);
    }
    return SINKHOLE_STORE_OK;
}

enum sinkhole_store_status sinkhole_pipe_exec(struct sinkhole_store *store, redisReply **ret_reply,
                                              bool *ret_unknown)
{
    enum sinkhole_store_status first = SINKHOLE_STORE_OK, status;
    redisReply *reply = NULL;
    char kept[sizeof(store->error)] = "";

    *ret_unknown = false;
    status = sinkhole_pipe_add(store, "EXEC");
    if (status != SINKHOLE_STORE_OK)
        return status;
    while (sinkhole_pipe_waiting(store) > 1) {
        status = sinkhole_pipe_next(store, NULL);
        if (store->context == NULL) {
            *ret_unknown = true;
            return status;
        }
        if (status != SINKHOLE_STORE_OK && first == SINKHOLE_STORE_OK) {
            first = status; /* refused when queued: EXEC will be refused too */
            memcpy(kept, store->error, sizeof(kept));
        }
    }
    status = sinkhole_pipe_next(store, &reply);
    if (store->context == NULL)
        *ret_unknown = true;
    if (status == SINKHOLE_STORE_OK)
        status = check_exec(store, reply);
    else if (first != SINKHOLE_STORE_OK) {
        status = first;
        memcpy(store->error, kept, sizeof(kept));
    }
    if (status == SINKHOLE_STORE_OK && ret_reply != NULL)
        *ret_reply = reply;
    else if (reply != NULL)
        freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_store_expect(struct sinkhole_store *store,
                                                 const redisReply *reply, int type, const char *key)
{
    if (reply->type == type)
        return SINKHOLE_STORE_OK;
    if (reply->type == REDIS_REPLY_NIL)
        return sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT, "%s is not there", key);
    return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s is not what it should be", key);
}

enum sinkhole_store_status sinkhole_store_expect_texts(struct sinkhole_store *store,
                                                       const redisReply *reply, const char *key)
{
    enum sinkhole_store_status status = sinkhole_store_expect(store, reply, REDIS_REPLY_ARRAY, key);

    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                         "%s is not what it should be", key);
    return status;
}

enum sinkhole_store_status sinkhole_store_ping(struct sinkhole_store *store)
{
    sinkhole_store_begin(store, "ask Redis");
    return sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL, "PING");
}
