/* SPDX-License-Identifier: BSD-3-Clause */
/* What the follower has its workers do. Threads: *_run in a worker, the rest in the loop. Memory:
 * see follow.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/follow_private.h"

struct follow_job *follow_job_new(struct agent_follow *follow, enum follow_job_kind kind)
{
    struct follow_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->follow = follow;
    job->kind = kind;
    job->round = follow->round;
    job->root = follow->root;
    memcpy(job->digest_key, follow->digest_key, sizeof(job->digest_key));
    return job;
}

void follow_job_free(struct follow_job *job)
{
    if (job == NULL)
        return;
    free(job->data);
    agent_rules_text_free(job->text);
    free(job);
}

static enum agent_build_status follow_job_do(struct follow_job *job, struct agent_build *build)
{
    switch (job->kind) {
    case JOB_OPEN:
        return agent_build_open(build);
    case JOB_SYNC_BEGIN:
        return agent_build_sync_begin(build, &job->root);
    case JOB_CHUNK:
        return agent_build_sync_chunk(build, job->data, job->len);
    case JOB_SYNC_END:
        return agent_build_sync_end(build);
    case JOB_LOG:
        return agent_build_log(build, &job->entry);
    case JOB_PUBLISH:
        return agent_build_publish(build, job->text);
    case JOB_CHECK:
        return agent_build_check(build);
    case JOB_ADOPT:
        return agent_build_adopt(build, &job->rebase);
    }
    return AGENT_BUILD_REFUSED;
}

static void follow_job_run(void *arg)
{
    struct follow_job *job = arg;
    struct agent_build *build = job->follow->config.build;

    if (job->kind != JOB_OPEN && job->kind != JOB_CHECK && job->kind != JOB_ADOPT)
        agent_build_digest_key(build, job->digest_key);
    job->status = follow_job_do(job, build);
    if (job->status != AGENT_BUILD_OK)
        snprintf(job->error, sizeof(job->error), "%s", agent_build_error(build));
    else if (job->kind == JOB_PUBLISH)
        job->wants_base = agent_build_wants_base(build, &job->rebase);
    agent_build_position(build, &job->position);
}

static void follow_job_over(void *arg)
{
    struct follow_job *job = arg;

    follow_job_done(job->follow, job);
    follow_job_free(job);
}

static void follow_job_drop(void *arg)
{
    follow_job_free(arg);
}

bool follow_job_post(struct follow_job *job)
{
    const struct agent_job posted = {follow_job_run, follow_job_over, follow_job_drop, job};

    if (agent_worker_post(job->follow->worker, &posted))
        return true;
    follow_job_free(job);
    return false;
}

/* --- a new base, in the other worker --- */

struct rebase_job {
    struct agent_follow *follow;
    struct agent_rebase rebase;
    enum agent_build_status status;
};

static void rebase_run(void *arg)
{
    struct rebase_job *job = arg;

    job->status = agent_build_rebase(&job->rebase);
}

static void rebase_over(void *arg)
{
    struct rebase_job *job = arg;

    job->follow->rebase = job->rebase;
    follow_rebase_done(job->follow, job->status);
    free(job);
}

static void rebase_drop(void *arg)
{
    free(arg);
}

bool follow_rebase_post(struct agent_follow *follow)
{
    struct rebase_job *job = calloc(1, sizeof(*job));
    const struct agent_job posted = {rebase_run, rebase_over, rebase_drop, job};

    if (job == NULL)
        return false;
    job->follow = follow;
    job->rebase = follow->rebase;
    if (agent_worker_post(follow->base_worker, &posted))
        return true;
    free(job);
    return false;
}
