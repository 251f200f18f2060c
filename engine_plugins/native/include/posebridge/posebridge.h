/*
 * PoseBridge for game engines: poses out, several weighted futures and alerts back, over ZeroMQ.
 *
 * A C interface, for C++, C#, Rust and anything else that can call C. No call in this file waits for the network. A client has one
 * background thread, which owns the socket; what it receives is read from memory by the calls below.
 *
 * Threads: calls about ONE avatar belong to one thread at a time, and so do those about the client as a whole (create, destroy,
 * connect, disconnect, add_avatar, poll_alert). Different avatars may be used from different threads at once. A borrowed forecast may
 * be read from any thread and is released once.
 *
 * Memory: everything that a call per frame needs is taken by create, add_avatar and the first forecast of an avatar (or the first one
 * that is larger); after that neither your threads nor our own code on the background thread allocate.
 *
 * Structs begin with `size`: set it to sizeof the struct. The library fills in or reads only so much, so an engine plugin that was built
 * against an older or a newer header works with this library as long as the first number of the version is the same.
 *
 * Strings are UTF-8 and end with a zero byte. Times are microseconds.
 */
#ifndef POSEBRIDGE_H
#define POSEBRIDGE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(POSEBRIDGE_BUILD)
#define POSEBRIDGE_EXPORT __declspec(dllexport)
#elif defined(POSEBRIDGE_STATIC)
#define POSEBRIDGE_EXPORT
#else
#define POSEBRIDGE_EXPORT __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define POSEBRIDGE_EXPORT __attribute__((visibility("default")))
#else
#define POSEBRIDGE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header and library. */
#define POSEBRIDGE_VERSION_MAJOR 0
#define POSEBRIDGE_VERSION_MINOR 1
#define POSEBRIDGE_VERSION_PATCH 0
/* Version of the contract with the server. Server and library must agree on it; the handshake compares and names both. */
#define POSEBRIDGE_PROTOCOL_VERSION 1

/* Limits of the wire. */
#define POSEBRIDGE_MAX_AVATARS 1024
#define POSEBRIDGE_MAX_LANDMARKS 600
#define POSEBRIDGE_MAX_FUTURES 16
#define POSEBRIDGE_MAX_STEPS 90
/* Longest name of a client, an avatar or a layout, without the zero byte. */
#define POSEBRIDGE_MAX_NAME 64
/* Joints of the humanoid skeleton of posebridge_joint_rotations. */
#define POSEBRIDGE_HUMANOID_JOINTS 17

typedef struct posebridge_client posebridge_client;

/* What a call returns: 0 or more is well, less than 0 is not. */
typedef enum posebridge_result {
  POSEBRIDGE_OK = 0,
  /* Nothing there (yet): no forecast, no alert. */
  POSEBRIDGE_EMPTY = 1,
  /* The frame was taken; the oldest one that still waited to be sent was dropped for it. */
  POSEBRIDGE_DROPPED_OLDEST = 2,
  /* An argument is wrong; posebridge_last_error says which. */
  POSEBRIDGE_INVALID_ARGUMENT = -1,
  /* Not now: for instance too many forecasts are borrowed, or the client is connected already. */
  POSEBRIDGE_FAILED_PRECONDITION = -2,
  /* A limit that was set at create, or of the wire, is reached. */
  POSEBRIDGE_RESOURCE_EXHAUSTED = -3,
  /* No memory, no thread or no socket is to be had. */
  POSEBRIDGE_OUT_OF_RESOURCES = -4
} posebridge_result;

typedef enum posebridge_state {
  /* Not asked to connect. */
  POSEBRIDGE_DISCONNECTED = 0,
  /* Trying to reach the server; also between two tries. */
  POSEBRIDGE_CONNECTING = 1,
  /* The server has accepted the session. */
  POSEBRIDGE_READY = 2,
  /* The server is about to stop; another one will be looked for. */
  POSEBRIDGE_DRAINING = 3,
  /* The server will not have this client as it is (version, token, layout, ...): posebridge_last_error says why. No more tries
     are made until posebridge_connect is called again. */
  POSEBRIDGE_REFUSED = 4
} posebridge_state;

/* The same numbers as the wire's ErrorCode. */
typedef enum posebridge_error_code {
  POSEBRIDGE_ERROR_NONE = 0,
  POSEBRIDGE_ERROR_INVALID_ARGUMENT = 1,
  POSEBRIDGE_ERROR_FAILED_PRECONDITION = 2,
  POSEBRIDGE_ERROR_NOT_FOUND = 3,
  POSEBRIDGE_ERROR_VERSION_MISMATCH = 4,
  POSEBRIDGE_ERROR_RESOURCE_EXHAUSTED = 5,
  POSEBRIDGE_ERROR_UNAVAILABLE = 6,
  POSEBRIDGE_ERROR_MALFORMED = 7,
  POSEBRIDGE_ERROR_INTERNAL = 8,
  POSEBRIDGE_ERROR_DEADLINE_EXCEEDED = 9,
  POSEBRIDGE_ERROR_UNAUTHENTICATED = 10,
  POSEBRIDGE_ERROR_PERMISSION_DENIED = 11
} posebridge_error_code;

/*
 * The axes and units of every position that goes in or comes out of a client.
 *
 * MEDIAPIPE  metres, right-handed: x to the image's right, y down, z away from the camera (MediaPipe's world landmarks)
 * UNITY      metres, left-handed: x right, y up, z forward. The camera looks along +z:       (x, -y, z)
 * UNREAL     centimetres, left-handed: x forward, y right, z up. The camera looks along +x:  (100 z, 100 x, -100 y)
 */
typedef enum posebridge_axes { POSEBRIDGE_AXES_MEDIAPIPE = 0, POSEBRIDGE_AXES_UNITY = 1, POSEBRIDGE_AXES_UNREAL = 2 } posebridge_axes;

typedef enum posebridge_log_level { POSEBRIDGE_LOG_INFO = 0, POSEBRIDGE_LOG_WARNING = 1, POSEBRIDGE_LOG_ERROR = 2 } posebridge_log_level;

/* Called on the background thread; must be quick and must not call back into the client. `message` lives until it returns. */
typedef void (*posebridge_log_fn)(void *user, int32_t level, const char *message);

/*
 * How a client is set up. Fill in with posebridge_default_config, then change what you need. Strings are copied by create.
 * Where nothing else is said, a number that is 0 takes the default that is named (the server's own for what the session asks for).
 */
typedef struct posebridge_config {
  size_t size;
  /* Where the server's ZeroMQ front listens, for example "tcp://127.0.0.1:50552". Required. */
  const char *endpoint;
  /* Who is connecting, 1 to 64 of A-Z a-z 0-9 _ . : - ; shows in logs and in an avatar's full name. Default "game". */
  const char *client_name;
  /* Landmarks and their number, J. Default "mediapipe.pose.33" and 33. */
  const char *layout_id;
  uint32_t landmarks;
  /* What the session asks for, see SessionConfig in forecast.proto. 0: the server's default (30 Hz, 1000 ms, 32, 5, 1000 ms). */
  float forecast_rate_hz;
  uint32_t horizon_ms;
  uint32_t samples;
  uint32_t futures;
  uint32_t deadline_ms;
  uint64_t seed;
  /* A landmark with less visibility counts as unseen; default 0.1. */
  float visibility_threshold;
  /* 1: motion is watched and alerts are raised (where the server has a calibration); 0: off. Default 1. */
  int32_t anomaly;
  /* False alarms that are acceptable per hour and avatar; 0: the server's default (1). */
  float false_alarms_per_hour;
  /* Of everything that goes in and out. Default MEDIAPIPE. */
  int32_t axes;
  /* Most avatars; default 16. */
  uint32_t max_avatars;
  /* Frames of one avatar that may wait to be sent, rounded up to a power of two; default 8. */
  uint32_t send_queue_frames;
  /* Frames of one avatar that are kept to be sent again after a reconnect, so that forecasts go on at once; default 128. */
  uint32_t resend_frames;
  /* Time over which posebridge_pose_at passes from an older forecast to a newer one; default_config gives 100 ms, 0: at once. */
  uint32_t blend_ms;
  /* Time for which posebridge_pose_at goes on past the end of a forecast before it holds; default_config gives 100 ms, 0: it holds. */
  uint32_t extrapolate_ms;
  /* First and longest pause between two tries to connect; default 100 and 3000 ms. */
  uint32_t reconnect_min_ms;
  uint32_t reconnect_max_ms;
  /* Silence after which the connection counts as lost (the server says something every second); default 4000 ms. */
  uint32_t silence_ms;
  /* CURVE keys in Z85, 40 characters each; all three or none. NULL: no encryption. */
  const char *server_public_key;
  const char *client_public_key;
  const char *client_secret_key;
  /* For a server that asks for tokens; NULL: none. */
  const char *token;
  posebridge_log_fn log;
  void *log_user;
} posebridge_config;

/* An error as it was last seen. `count` rises with every error, so that a new one can be told from an old one. */
typedef struct posebridge_error {
  size_t size;
  int32_t code; /* posebridge_error_code */
  uint64_t count;
  /* The field at fault (may be empty), what was wrong, what would be right (may be empty). */
  char field[128];
  char problem[256];
  char expected[256];
} posebridge_error;

/* What the server has accepted; all zero before the first session. */
typedef struct posebridge_session {
  size_t size;
  uint32_t protocol_version;
  char server_version[32];
  char session_id[64];
  /* Frames of context at rate_hz: forecasts begin when an avatar has them. */
  uint32_t context_frames;
  float rate_hz;
  uint32_t horizon_ms;
  uint32_t samples;
  uint32_t futures;
  float forecast_rate_hz;
  float false_alarms_per_hour; /* 0: motion is not watched */
} posebridge_session;

/*
 * The futures of one avatar: K futures, H steps, J landmarks, in the client's axes and units. Most probable future first.
 * Step h (from 0) is at based_on_timestamp_us + (h + 1) * step_us, on the clock that the frames were stamped with.
 */
typedef struct posebridge_forecast {
  size_t size;
  uint64_t based_on_sequence;
  uint64_t based_on_timestamp_us;
  uint32_t step_us;
  uint32_t futures;   /* K */
  uint32_t steps;     /* H */
  uint32_t landmarks; /* J */
  /* (K, H, J, 3): origin at the middle of the hips. */
  const float *positions;
  /* (K, H, 3): the middle of the hips in your world; NULL unless the frames carried a root. */
  const float *roots;
  /* (K): above 0, adding up to 1, falling. */
  const float *probabilities;
  /* (K): a future that continues one of the previous forecast has the same id. */
  const uint32_t *mode_ids;
  /* (H, J): root mean square distance of everything that was drawn from its mean; metres, or centimetres for UNREAL. */
  const float *spread;
  /* Newest verdict on the observed motion: how often normal motion is at least as surprising, (0, 1]; below 0: none. */
  float p_value;
  /* Evidence so far over the threshold of an alert: 1 raises one. */
  float evidence;
  /* 1: the server gives less than was asked for, to keep up. */
  int32_t degraded;
  /* Time between the frame's arrival at the server and the forecast's leaving it. */
  uint64_t age_us;
  /* posebridge_now_us() when it came. */
  uint64_t received_us;
  /* Rises by one with every forecast of the avatar. */
  uint64_t number;
} posebridge_forecast;

/* A pose at one time, see posebridge_pose_at. Set `positions` to J * 3 floats of your own. */
typedef struct posebridge_pose {
  size_t size;
  float *positions; /* (J, 3), client's axes, origin at the middle of the hips */
  float root[3];    /* the middle of the hips in your world; zero without roots */
  int32_t has_root;
  float probability;
  uint32_t mode_id;
  /* How far the time is past the last observed frame, and by how much it was past the end of the forecast (0: not at all). */
  int64_t ahead_us;
  int64_t beyond_us;
  uint64_t number; /* of the forecast that it comes from */
} posebridge_pose;

/* One part of the body in an alert. */
typedef struct posebridge_joint {
  uint32_t landmark;
  float share;
  char name[64];
} posebridge_joint;

/* Numbers of AlertState and AlertSeverity on the wire. */
typedef enum posebridge_alert_state {
  POSEBRIDGE_ALERT_RAISED = 1,
  POSEBRIDGE_ALERT_UPDATED = 2,
  POSEBRIDGE_ALERT_CLEARED = 3,
  POSEBRIDGE_ALERT_ACKNOWLEDGED = 4
} posebridge_alert_state;

/* An alert after one of its changes. The same change may come twice: compare `id` and `revision`. */
typedef struct posebridge_alert {
  size_t size;
  char id[64];
  uint32_t revision;
  uint64_t cursor;
  int32_t state; /* posebridge_alert_state */
  char avatar_id[POSEBRIDGE_MAX_NAME + 1];
  uint64_t started_us;
  uint64_t raised_us;
  uint64_t ended_us; /* 0 while it is on */
  double p_value;
  float score;
  float threshold;
  int32_t severity; /* 1 low, 2 medium, 3 high */
  uint32_t joint_count;
  posebridge_joint joints[8];
} posebridge_alert;

typedef struct posebridge_stats {
  size_t size;
  int32_t state;              /* posebridge_state */
  uint64_t sessions;          /* accepted so far */
  uint64_t frames_given;      /* to posebridge_send_frame */
  uint64_t frames_sent;       /* to the network, once each */
  uint64_t frames_resent;     /* again after a reconnect */
  uint64_t frames_dropped;    /* given, never sent: the queue was full, or there was no connection for too long */
  uint64_t forecasts;         /* received */
  uint64_t forecasts_skipped; /* received and let go: all memory of the avatar was borrowed, or the shape made no sense */
  uint64_t frame_errors;      /* the server did not use a frame, or made no forecast of it */
  uint64_t malformed;         /* messages from the server that could not be read */
  uint64_t alerts;            /* received */
  uint64_t alerts_dropped;    /* received and forgotten before they were polled; the server's log has them */
  uint64_t bytes_sent;
  uint64_t bytes_received;
  uint64_t allocations; /* of memory for forecasts, by our own code on the background thread */
  /* The newest forecast's way: from posebridge_send_frame of its frame to its arrival here; 0 before the first. */
  uint64_t latency_us;
  /* Round trip to the server and how far its clock is ahead of posebridge_now_us; only meaningful if clock_known. */
  int32_t clock_known;
  uint64_t round_trip_us;
  int64_t clock_offset_us;
} posebridge_stats;

/*
 * Joints of the humanoid skeleton of posebridge_joint_rotations, in this order; a parent stands before its children.
 * In the rest pose (all rotations identity) the body stands upright, arms straight out to its sides, palms down, and faces away from
 * the camera: along the preset's forward axis (+z in UNITY and MEDIAPIPE, +x in UNREAL).
 */
typedef enum posebridge_humanoid_joint {
  POSEBRIDGE_JOINT_HIPS = 0,
  POSEBRIDGE_JOINT_SPINE = 1,           /* of HIPS: bends half of the way from hips to chest */
  POSEBRIDGE_JOINT_CHEST = 2,           /* of SPINE */
  POSEBRIDGE_JOINT_NECK = 3,            /* of CHEST: turns half of the way from chest to head */
  POSEBRIDGE_JOINT_HEAD = 4,            /* of NECK */
  POSEBRIDGE_JOINT_LEFT_UPPER_ARM = 5,  /* of CHEST */
  POSEBRIDGE_JOINT_LEFT_LOWER_ARM = 6,  /* of LEFT_UPPER_ARM */
  POSEBRIDGE_JOINT_LEFT_HAND = 7,       /* of LEFT_LOWER_ARM */
  POSEBRIDGE_JOINT_RIGHT_UPPER_ARM = 8, /* of CHEST */
  POSEBRIDGE_JOINT_RIGHT_LOWER_ARM = 9,
  POSEBRIDGE_JOINT_RIGHT_HAND = 10,
  POSEBRIDGE_JOINT_LEFT_UPPER_LEG = 11, /* of HIPS */
  POSEBRIDGE_JOINT_LEFT_LOWER_LEG = 12,
  POSEBRIDGE_JOINT_LEFT_FOOT = 13,
  POSEBRIDGE_JOINT_RIGHT_UPPER_LEG = 14, /* of HIPS */
  POSEBRIDGE_JOINT_RIGHT_LOWER_LEG = 15,
  POSEBRIDGE_JOINT_RIGHT_FOOT = 16
} posebridge_humanoid_joint;

/* A rotation as a unit quaternion, in the conventions of the axes (Unity and Unreal: left-handed). */
typedef struct posebridge_quaternion {
  float x, y, z, w;
} posebridge_quaternion;

/* ---- life ---- */

/* "0.1.0" of this library. */
POSEBRIDGE_EXPORT const char *posebridge_version(void);

/* Microseconds of a monotonic clock; a good clock to stamp frames with if you have none. */
POSEBRIDGE_EXPORT uint64_t posebridge_now_us(void);

/* Fill in defaults; `config->size` must be set. */
POSEBRIDGE_EXPORT int32_t posebridge_default_config(posebridge_config *config);

/*
 * Make a client; it does not connect yet. On failure *client is NULL and `error` (may be NULL, else its `size` set) says what is wrong.
 */
POSEBRIDGE_EXPORT int32_t posebridge_create(const posebridge_config *config, posebridge_client **client, posebridge_error *error);

/* End the background thread and give all memory back, within 200 ms whatever the server does. NULL is fine. */
POSEBRIDGE_EXPORT void posebridge_destroy(posebridge_client *client);

/* Begin to connect, and keep at it; returns at once. */
POSEBRIDGE_EXPORT int32_t posebridge_connect(posebridge_client *client);

/* End the session and stay away; returns within 200 ms. */
POSEBRIDGE_EXPORT int32_t posebridge_disconnect(posebridge_client *client);

/* The state as of now, a posebridge_state. */
POSEBRIDGE_EXPORT int32_t posebridge_get_state(const posebridge_client *client);

/* The last error; EMPTY if there was none. */
POSEBRIDGE_EXPORT int32_t posebridge_last_error(const posebridge_client *client, posebridge_error *error);

/* What the server has accepted; EMPTY before the first session. */
POSEBRIDGE_EXPORT int32_t posebridge_get_session(const posebridge_client *client, posebridge_session *session);

/* Counters. */
POSEBRIDGE_EXPORT int32_t posebridge_get_stats(const posebridge_client *client, posebridge_stats *stats);

/* ---- avatars ---- */

/*
 * Make an avatar known and return its handle (0 or more), or an error. The same id gives the same handle. Takes memory: call it when an
 * avatar appears, not every frame. Avatars live as long as the client.
 */
POSEBRIDGE_EXPORT int32_t posebridge_add_avatar(posebridge_client *client, const char *avatar_id);

/*
 * Hand over an observed pose; never waits. The frame is sent at once, or as soon as there is a connection.
 *
 * timestamp_us: time of capture on your clock, monotonic, 1 to 2^62.
 * landmarks: (J, 4) x, y, z in the client's axes and units, visibility 0 to 1; NULL: nobody was detected.
 * root: 3 doubles, where the origin of the landmarks is in your world; NULL: unknown. Always or never for one avatar.
 * sequence: is set to the frame's number (may be NULL).
 */
POSEBRIDGE_EXPORT int32_t posebridge_send_frame(posebridge_client *client, int32_t avatar, uint64_t timestamp_us, const float *landmarks,
                                                const double *root, uint64_t *sequence);

/*
 * The newest forecast, without a copy: *forecast stays valid, and its numbers unchanged, until it is released. At most 4 forecasts of one
 * avatar may be borrowed at a time. EMPTY before the first.
 */
POSEBRIDGE_EXPORT int32_t posebridge_borrow_forecast(posebridge_client *client, int32_t avatar, const posebridge_forecast **forecast);

/* Give a borrowed forecast back. */
POSEBRIDGE_EXPORT int32_t posebridge_release_forecast(posebridge_client *client, int32_t avatar, const posebridge_forecast *forecast);

/*
 * A copy of the newest forecast: `forecast` (its `size` set) is filled in and points into `buffer`. With too small a buffer
 * RESOURCE_EXHAUSTED is returned and *buffer_bytes set to what it takes.
 */
POSEBRIDGE_EXPORT int32_t posebridge_latest_forecast(posebridge_client *client, int32_t avatar, posebridge_forecast *forecast, void *buffer,
                                                     size_t *buffer_bytes);

/* Number of the avatar's newest forecast, 0 before the first: tells whether there is something new. */
POSEBRIDGE_EXPORT uint64_t posebridge_forecast_number(const posebridge_client *client, int32_t avatar);

/*
 * Where the avatar is at a time (your clock, the one that frames are stamped with).
 *
 * future: 0 is the most probable one, up to K - 1; POSEBRIDGE_MEAN_FUTURE: the mean of all, weighted by their probabilities.
 * Between steps the pose moves linearly; before the first step it moves from the newest observed pose; past the last one it goes on for
 * `extrapolate_ms`, then holds. When a newer forecast comes, the pose passes over to it within `blend_ms` and never jumps. EMPTY before
 * the first forecast.
 */
#define POSEBRIDGE_MEAN_FUTURE (-1)
POSEBRIDGE_EXPORT int32_t posebridge_pose_at(posebridge_client *client, int32_t avatar, uint64_t time_us, int32_t future,
                                             posebridge_pose *pose);

/* ---- alerts ---- */

/* The oldest change of an alert that was not yet polled; EMPTY if there is none. */
POSEBRIDGE_EXPORT int32_t posebridge_poll_alert(posebridge_client *client, posebridge_alert *alert);

/* ---- geometry; these need no client ---- */

/* Convert `count` points (count, 3) between axes and units; `in` and `out` may be the same. */
POSEBRIDGE_EXPORT int32_t posebridge_convert_points(int32_t from_axes, int32_t to_axes, const float *in, float *out, uint32_t count);

/*
 * Landmarks of layout "mediapipe.pose.33" (33, 3), in `axes`, to rotations of the humanoid skeleton above.
 *
 * local: (POSEBRIDGE_HUMANOID_JOINTS) each relative to its parent (the hips: to the world), as engines set them; may be NULL.
 * global: (POSEBRIDGE_HUMANOID_JOINTS) each relative to the world; may be NULL.
 * INVALID_ARGUMENT if the body has no extent or a number is not finite.
 */
POSEBRIDGE_EXPORT int32_t posebridge_joint_rotations(int32_t axes, const float *landmarks, posebridge_quaternion *local,
                                                     posebridge_quaternion *global);

/* The joint's parent, -1 for the hips or a number that is no joint. */
POSEBRIDGE_EXPORT int32_t posebridge_joint_parent(int32_t joint);

/* "Hips", "LeftUpperArm", ...: names as in Unity's HumanBodyBones; NULL for a number that is no joint. */
POSEBRIDGE_EXPORT const char *posebridge_joint_name(int32_t joint);

#ifdef __cplusplus
}
#endif

#endif
