/* The C interface of blindspot: open a trained network, classify, input gradients, Level Set Traversal, measures. Plain
 * C99; link with -lblindspot. The C++ interface is in the headers blindspot/...h beside this file.
 *
 * Errors. A function that can fail returns a status and takes, last, a blindspot_error of the caller's, or NULL: there
 * is no global or per-thread error. The message is one line that names the file or value and says what to do. No
 * exception leaves a function, nothing ends the process, nothing is printed, but for what is said below. After a
 * failure, what the function would have written is unspecified but for handles, which are NULL unless said otherwise.
 *
 * Beyond our reach. A weight file is mapped: where another process cuts it short while its model is open, reading it
 * raises SIGBUS, which ends the process unless it has a handler; blindspot_model_open_memory, with bytes read by the
 * caller, has no such risk. Threads are tried before they are needed, and memory that blindspot itself asks for and
 * does not get is reported; but libgomp prints a line and ends the process where the system gives it no thread or
 * memory later on, and oneDNN may crash where its own first objects find no memory. Whoever must outlive that runs
 * blindspot in a process of its own.
 *
 * Threads. A handle may be used by one thread at a time, any thread; different handles by different threads at once.
 * The callbacks of a call run on the thread that called, may not use the handle that is at work, and must return (no
 * exception, no longjmp).
 *
 * Structs that start with `size` can grow: the caller sets `size` to sizeof the struct, and the library reads and
 * writes no more than that. A program built against an older, smaller struct keeps working; a newer, larger one is
 * accepted as long as what this library does not know is zero.
 *
 * Images are float32 in [0, 1], [3, H, W] row-major, of the network's input size (blindspot_model_information);
 * `images` is `count` of them one behind the other. Arrays belong to the caller. Texts that the library returns belong
 * to their handle and live as long as it does. */
#ifndef BLINDSPOT_H
#define BLINDSPOT_H

/* NOLINTBEGIN(modernize-deprecated-headers,modernize-use-using,readability-identifier-naming): this is C */

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BLINDSPOT_API __attribute__((visibility("default")))
#else
#define BLINDSPOT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors -------------------------------------------------------------------------------------------------------
 */

/* What the program's exit codes mean. */
typedef enum blindspot_status {
  BLINDSPOT_DONE = 0,
  BLINDSPOT_FAULT = 1,    /* a fault of blindspot */
  BLINDSPOT_USAGE = 2,    /* an argument that cannot be right */
  BLINDSPOT_INPUT = 3,    /* a bad or missing file */
  BLINDSPOT_DEVICE = 4,   /* no such device, device lost, out of memory */
  BLINDSPOT_STOPPED = 130 /* a callback asked for it */
} blindspot_status;

/* `size` says how long a message fits: sizeof(blindspot_error). */
typedef struct blindspot_error {
  size_t size;
  int32_t status;     /* a blindspot_status */
  char message[1020]; /* ends with 0; empty after BLINDSPOT_DONE */
} blindspot_error;

/* "0.1.0" */
BLINDSPOT_API const char* blindspot_version(void);

/* ---- models -------------------------------------------------------------------------------------------------------
 */

typedef struct blindspot_model blindspot_model;

/* Returns other than 0 to end the call, which then returns BLINDSPOT_STOPPED. Asked several times a second. */
typedef int (*blindspot_cancelled)(void* context);

/* All zero but for `size` is the default. */
typedef struct blindspot_model_options {
  size_t size;
  const char* device;       /* "auto" (also NULL), "cpu", "cuda", "cuda:N" */
  const char* precision;    /* "fp32", "tf32", "bf16", "fp16"; NULL: fp32 on the CPU, tf32 on CUDA */
  const char* architecture; /* NULL: told by the file */
  int64_t heads;            /* of a vision transformer; 0: told by the file or the architecture's name */
  int64_t batch;            /* images at a time; 0: chosen */
  uint64_t rule_seed;       /* for the model "rule:ARCHITECTURE"; 0: the default seed, 1 */
  int32_t threads;          /* 0: all cores; 4096 at most */
  int32_t resize;           /* 0: as the file says; likewise below */
  int32_t crop;
  int32_t input_size;
  const char* interpolation;     /* "bilinear", "bicubic" */
  const float* mean;             /* three finite numbers, or NULL */
  const float* deviation;        /* three finite numbers above 0, or NULL */
  blindspot_cancelled cancelled; /* asked while opening and in all that the model does; NULL: never */
  void* context;                 /* what it is called with */
} blindspot_model_options;

/* `model`: a weight file (safetensors, or PyTorch's .pth/.pt/.th), a Hugging Face folder, a name in the weight folder,
 * "demo-resnet", "demo-vit", or "rule:ARCHITECTURE". `options` may be NULL. */
BLINDSPOT_API blindspot_status blindspot_model_open(const char* model, const blindspot_model_options* options,
                                                    blindspot_model** opened, blindspot_error* error);
/* The same from the bytes of a weight file; `name` stands in messages. The bytes must stay until the model is closed.
 */
BLINDSPOT_API blindspot_status blindspot_model_open_memory(const char* name, const void* bytes, size_t byte_count,
                                                           const blindspot_model_options* options,
                                                           blindspot_model** opened, blindspot_error* error);
/* NULL is fine. */
BLINDSPOT_API void blindspot_model_close(blindspot_model* model);

typedef struct blindspot_model_information {
  size_t size;
  const char* name;
  const char* architecture;
  const char* sha256;         /* of the file, hexadecimal; empty for rule-made weights */
  const char* weights_sha256; /* of the tensors */
  const char* device;         /* "cpu", "cuda:0" */
  const char* precision;
  const char* preprocessing_source; /* where the preprocessing came from */
  const char* interpolation;        /* "bilinear", "bicubic" */
  int64_t parameter_count;
  int64_t class_count;
  int64_t batch; /* walks at a time */
  int32_t threads;
  int32_t input_size; /* H = W */
  int32_t resize;     /* of the shorter side before the crop; 0: both sides to the crop */
  int32_t crop;
  int32_t preprocessing_assumed; /* 1: nothing but the family's default told it */
  float mean[3];
  float deviation[3];
  int64_t assumed_heads; /* of a vision transformer of which nothing tells the number of heads; else 0 */
} blindspot_model_information;

BLINDSPOT_API blindspot_status blindspot_model_describe(blindspot_model* model,
                                                        blindspot_model_information* information,
                                                        blindspot_error* error);
/* NULL where the name or the class is not known. */
BLINDSPOT_API const char* blindspot_class_name(const blindspot_model* model, int32_t class_index);

/* ---- images -------------------------------------------------------------------------------------------------------
 */

/* A JPEG or PNG with the model's preprocessing, or the one image of a .safetensors file, into `image` [3, H, W]. */
BLINDSPOT_API blindspot_status blindspot_load_image(blindspot_model* model, const char* path, float* image,
                                                    blindspot_error* error);
/* The same from an encoded JPEG or PNG in memory. */
BLINDSPOT_API blindspot_status blindspot_decode_image(blindspot_model* model, const void* bytes, size_t byte_count,
                                                      float* image, blindspot_error* error);

/* ---- networks -----------------------------------------------------------------------------------------------------
 */

/* `logits` and `probabilities` (softmax in double) are [count, classes]; either may be NULL. */
BLINDSPOT_API blindspot_status blindspot_classify(blindspot_model* model, const float* images, size_t count,
                                                  float* logits, double* probabilities, blindspot_error* error);
/* Gradients of the cross entropy (natural log) of `classes` [count] with respect to the images. `logits` [count,
 * classes] and `cross_entropies` [count] may be NULL. */
BLINDSPOT_API blindspot_status blindspot_gradients(blindspot_model* model, const float* images, const int32_t* classes,
                                                   size_t count, float* gradients, float* logits,
                                                   double* cross_entropies, blindspot_error* error);

/* ---- walks --------------------------------------------------------------------------------------------------------
 */

typedef enum blindspot_mode {
  BLINDSPOT_STANDARD = 0,
  BLINDSPOT_REFERENCE = 1 /* what the authors' code does, defects included */
} blindspot_mode;

typedef struct blindspot_walk_parameters {
  size_t size;
  int64_t iterations;   /* >= 0 */
  int64_t record_every; /* >= 1 */
  uint64_t seed;
  float step_size;        /* > 0 */
  float delta;            /* in [0, 1]: confidence that may be lost */
  float adversarial_step; /* >= 0 */
  int32_t adversarial;    /* 0 or 1 */
  int32_t mode;           /* a blindspot_mode */
} blindspot_walk_parameters;

/* Fills in the paper's ImageNet run, as far as `size`, which the caller has set, reaches. */
BLINDSPOT_API void blindspot_walk_parameters_default(blindspot_walk_parameters* parameters);

/* All zero but for `size` is the default. */
typedef struct blindspot_walk_options {
  size_t size;
  /* Called between iterations; iterations are over all pairs. */
  void (*progress)(void* context, int64_t iterations_done, int64_t iterations, int64_t pairs_done, int64_t pairs);
  blindspot_cancelled cancelled;
  void* context;              /* what both are called with */
  const float* noise;         /* U of the noised starts, [count, 3, H, W] in [0, 1); NULL: the generator */
  int32_t keep_record_images; /* 1: blindspot_walk_record_image has something to give */
} blindspot_walk_options;

/* The walks of one call. */
typedef struct blindspot_walks blindspot_walks;

/* Walks from sources[i] to targets[i]. `source_classes` and `target_classes`, [count], may be NULL: the network's own
 * predictions. `parameters` NULL: the default; `options` may be NULL. After BLINDSPOT_STOPPED `walks` is there too,
 * with the pairs that had ended. */
BLINDSPOT_API blindspot_status blindspot_traverse(blindspot_model* model, const float* sources, const float* targets,
                                                  const int32_t* source_classes, const int32_t* target_classes,
                                                  size_t count, const blindspot_walk_parameters* parameters,
                                                  const blindspot_walk_options* options, blindspot_walks** walks,
                                                  blindspot_error* error);
/* NULL is fine. */
BLINDSPOT_API void blindspot_walks_free(blindspot_walks* walks);

typedef struct blindspot_walk_result {
  size_t size;
  int64_t accepted, rejected;
  size_t record_count;
  int32_t finished; /* 0: stopped before its end; nothing else is meant then */
  int32_t outside;  /* 1: not within delta of the source's probability, recomputed in fp32 */
  int32_t source_class, target_class;
  float source_probability, start_probability,
      probability;          /* of the source's class: clean, after the noise, at the end */
  float target_probability; /* of the target's class at the end */
} blindspot_walk_result;

BLINDSPOT_API blindspot_status blindspot_walk_get(const blindspot_walks* walks, size_t pair,
                                                  blindspot_walk_result* result, blindspot_error* error);
/* The final image, [3, H, W]. */
BLINDSPOT_API blindspot_status blindspot_walk_image(const blindspot_walks* walks, size_t pair, float* image,
                                                    blindspot_error* error);
/* The records, [record_count] each; any may be NULL. */
BLINDSPOT_API blindspot_status blindspot_walk_records(const blindspot_walks* walks, size_t pair, int64_t* iterations,
                                                      float* probabilities, float* target_probabilities,
                                                      blindspot_error* error);
/* Image of one record, [3, H, W], where they are kept. */
BLINDSPOT_API blindspot_status blindspot_walk_record_image(const blindspot_walks* walks, size_t pair, size_t record,
                                                           float* image, blindspot_error* error);

/* ---- measures -----------------------------------------------------------------------------------------------------
 */

typedef struct blindspot_hull_metrics {
  size_t size;
  double source_probability, mean, minimum;
  double fractions[4]; /* of points strictly above the source less 0, 0.1, 0.2, 0.3 */
  double edge_mean;    /* of triangles only, as edge_minimum, which is relative to the source; else NaN */
  double edge_minimum;
  int64_t points;                  /* at which the network was asked */
  int32_t sampled;                 /* 1: drawn over the simplex, else a grid, and the intervals are NaN */
  double mean_interval[2];         /* of the mean over the whole simplex, at the confidence level asked for */
  double fraction_intervals[4][2]; /* of the fractions, likewise */
} blindspot_hull_metrics;

/* Probabilities of the class at (1 - t) source + t end, t = 0, 1/divisions, ..., 1: [divisions + 1]. */
BLINDSPOT_API blindspot_status blindspot_straight_path(blindspot_model* model, const float* source, const float* end,
                                                       int32_t source_class, int32_t divisions, float* probabilities,
                                                       blindspot_error* error);
/* Points of a triangle's grid: (divisions + 1)(divisions + 2)/2 in mode standard, in mode reference at most that. */
BLINDSPOT_API size_t blindspot_triangle_points(int32_t divisions, blindspot_mode mode);
/* At (1 - t1 - t2) source + t1 first + t2 second: `t` [points, 2] and `metrics` may be NULL, `probabilities` [points].
 */
BLINDSPOT_API blindspot_status blindspot_triangle(blindspot_model* model, const float* source, const float* first,
                                                  const float* second, int32_t source_class, int32_t divisions,
                                                  blindspot_mode mode, double* t, float* probabilities,
                                                  blindspot_hull_metrics* metrics, blindspot_error* error);
/* All zero but for `size` is the default. */
typedef struct blindspot_simplex_options {
  size_t size;
  int64_t point_budget;    /* 1 to 100,000,000; 0: 1000; a grid of more points is not made: points are drawn instead */
  int64_t samples;         /* points that are drawn then, 2 to 100,000,000; 0: 1000 */
  uint64_t seed;           /* of the draw */
  double confidence_level; /* of the intervals, between 0 and 1; 0: 0.95 */
  int32_t divisions;       /* of the grid's edges, 1 to 10,000; 0: 10 */
} blindspot_simplex_options;

/* Points that blindspot_simplex has with these options, which may be NULL: of the grid, or drawn. 0 where it would
 * refuse them, or `target_count`. */
BLINDSPOT_API size_t blindspot_simplex_points(size_t target_count, const blindspot_simplex_options* options);
/* Over the simplex of a source and `targets` [target_count, 3, H, W], target_count >= 1, on a regular grid or at points
 * drawn uniformly. `options` may be NULL. At each point `t` [points, target_count] gets the weights of the targets, the
 * source's is the rest, and `probabilities` [points] the probability of the class; either may be NULL, and `metrics`.
 */
BLINDSPOT_API blindspot_status blindspot_simplex(blindspot_model* model, const float* source, const float* targets,
                                                 size_t target_count, int32_t source_class,
                                                 const blindspot_simplex_options* options, double* t,
                                                 float* probabilities, blindspot_hull_metrics* metrics,
                                                 blindspot_error* error);

typedef struct blindspot_lowest {
  size_t size;
  double source_probability, probability; /* at the source; the lowest value found */
  double t[2];                            /* where: weights of the targets, the source's is the rest */
  int32_t violation;                      /* 1: it lies more than delta below the source's */
  int64_t points, gradients;              /* at which the network was asked; of them with a gradient */
  double forward_passes;                  /* cost: a gradient counts as the forward passes that it costs */
  int64_t grid_passes;                    /* of the uniform grid of that resolution */
} blindspot_lowest;

/* Searches the segment (one target) or triangle (two) for its lowest probability, between grid points too: pieces whose
 * values or slopes suggest a value below the source's less `delta` are divided down to edges of 1/resolution. `targets`
 * [target_count, 3, H, W]. */
BLINDSPOT_API blindspot_status blindspot_find_lowest(blindspot_model* model, const float* source, const float* targets,
                                                     size_t target_count, int32_t source_class, int32_t resolution,
                                                     double delta, blindspot_lowest* lowest, blindspot_error* error);

typedef struct blindspot_width_options {
  size_t size;
  int64_t directions;            /* 1 to 65,536 */
  uint64_t seed;                 /* of the directions that are drawn */
  float delta;                   /* in [0, 1]: nothing is measured where the probability is below it */
  int32_t mode;                  /* a blindspot_mode; reference: NaN where the gradient is zero */
  const float* given_directions; /* [directions, 3, H, W]: used instead of drawn ones, made orthogonal and scaled */
  const float* source;           /* [3, H, W]: the walk's; its pixels and the target's tell the draw. NULL: `image` */
  uint64_t occurrence;           /* of walks between the same two, from 0: tells the draw too */
} blindspot_width_options;

/* Fills in 256 directions, delta 0.2 and zeros, as far as `size`, which the caller has set, reaches. */
BLINDSPOT_API void blindspot_width_options_default(blindspot_width_options* options);

/* Quantiles, at 5 % and 95 %, of the probability of the class after random steps of L2 length radii[i], above 0 and
 * finite, across the walk's direction from `image` towards `target`: `q05` and `q95` are [radius_count], NaN where the
 * probability at `image` is below delta. `options` NULL: the default. */
BLINDSPOT_API blindspot_status blindspot_path_width(blindspot_model* model, const float* image, const float* target,
                                                    int32_t source_class, const double* radii, size_t radius_count,
                                                    const blindspot_width_options* options, double* q05, double* q95,
                                                    blindspot_error* error);

typedef struct blindspot_distance_measure blindspot_distance_measure;

typedef struct blindspot_distances {
  size_t size;
  double l2, rmse, linf;
  double ssim;  /* NaN where a side is below 6 pixels */
  double lpips; /* NaN without LPIPS weights, and where a side is below 31 pixels */
} blindspot_distances;

/* `device` NULL: "auto"; `threads` 0: all cores; `lpips` NULL: no LPIPS, else the file of its weights. */
BLINDSPOT_API blindspot_status blindspot_distance_open(const char* device, int32_t threads, const char* lpips,
                                                       blindspot_distance_measure** opened, blindspot_error* error);
BLINDSPOT_API void blindspot_distance_close(blindspot_distance_measure* measure);
/* Of two images [3, height, width]. */
BLINDSPOT_API blindspot_status blindspot_distance_between(blindspot_distance_measure* measure, const float* first,
                                                          const float* second, int32_t height, int32_t width,
                                                          blindspot_distances* distances, blindspot_error* error);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-deprecated-headers,modernize-use-using,readability-identifier-naming) */

#endif
