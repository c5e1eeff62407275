/* The C interface of Darknet Studio's engine: detection, inspection and devices. Training is the program `darknet`
 * (docs/protocol.md), not a call.
 *
 * - Every call that can fail returns a dk_status; what went wrong is in dk_last_error() of the same thread. No call exits,
 *   aborts, prints, or lets an exception out.
 * - Paths are bytes as the file system has them, texts are UTF-8; both end with a zero byte.
 * - A struct begins with its own size in bytes: set it to sizeof. A caller built against an older header then keeps working:
 *   members it does not know get their defaults.
 * - What a call hands out (`out_...`) belongs to the caller, who gives it back with the named function. On failure *out is
 *   NULL.
 * - Threads: any. Calls on one dk_network wait for each other.
 */
#ifndef DARKNET_BRIDGE_H
#define DARKNET_BRIDGE_H

#include <stdint.h>

#if defined(_WIN32)
#define DK_API __declspec(dllexport)
#else
#define DK_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a caller built against an older header could misread something. */
#define DK_ABI_VERSION 1

/* The same numbers as the exit codes of the program `darknet`. */
typedef int32_t dk_status;
#define DK_OK 0
#define DK_STOPPED 3
#define DK_BAD_INPUT 10 /* a file or an argument is wrong */
#define DK_DEVICE 11    /* the device can't be used */
#define DK_MEMORY 12    /* not enough memory */
#define DK_DISK 13      /* reading or writing failed */
#define DK_INTERNAL 70  /* a bug */

DK_API const char* dk_version(void);    /* "0.1.0"; never freed */
DK_API int32_t dk_abi_version(void);    /* DK_ABI_VERSION of the library; check it before any other call */
DK_API const char* dk_last_error(void); /* of this thread, "" after success; valid until its next call */
DK_API void dk_string_free(char* text);

/* [{"id","description","memory_bytes","free_bytes","usable","reason"}, ...], best first; free_bytes only where it is known. */
DK_API dk_status dk_devices_json(char** out_json);

/* What a cfg describes and, unless weights_path is NULL, what the weights file holds and whether it fits. */
DK_API dk_status dk_inspect_json(const char* cfg_path, const char* weights_path, char** out_json);

/* ---- a network for detection ---- */

typedef struct dk_network dk_network;

#define DK_PRECISION_F32 0
#define DK_PRECISION_BF16 1
#define DK_PRECISION_F16 2

typedef struct dk_network_options {
  uint32_t struct_size;
  int32_t threads;    /* 0 = one for each core */
  int32_t precision;  /* DK_PRECISION_F32 */
  int32_t batch;      /* images in one pass, from 1; default 1 */
  const char* device; /* "auto", "cpu", "cuda", "cuda:1", ...; NULL = "auto" */
} dk_network_options;

/* options may be NULL. The weights must fit the whole cfg exactly. */
DK_API dk_status dk_network_open(const char* cfg_path, const char* weights_path, const dk_network_options* options,
                                 dk_network** out_network);
/* {"width","height","channels","classes","layers","device","precision","batch","memory_bytes","bflops","warnings"} */
DK_API dk_status dk_network_info_json(dk_network* network, char** out_json);
DK_API void dk_network_close(dk_network* network); /* NULL is fine */

#define DK_PIXELS_BGR8 0  /* 3 bytes a pixel */
#define DK_PIXELS_RGB8 1  /* 3 */
#define DK_PIXELS_BGRA8 2 /* 4, alpha is ignored */
#define DK_PIXELS_GRAY8 3 /* 1 */

/* Either pixels, or (pixels NULL) a file: JPEG or PNG, turned upright as its EXIF says. */
typedef struct dk_image {
  uint32_t struct_size;
  int32_t format; /* DK_PIXELS_... */
  int32_t width_px;
  int32_t height_px;
  int64_t row_bytes; /* from one row to the next */
  const void* pixels;
  const char* path;
} dk_image;

typedef struct dk_detect_options {
  uint32_t struct_size;
  float threshold;    /* default 0.25; only scores above it */
  float nms;          /* default 0.45; 0 keeps all */
  int32_t letter_box; /* 0 = stretch to the network's input, 1 = keep the shape; -1 (default) = as the cfg says */
} dk_detect_options;

typedef struct dk_detection {
  int32_t class_id;
  float score;  /* objectness times class probability */
  float cx, cy; /* centre, relative to the upright image */
  float w, h;   /* size; the box may stick out of the image */
} dk_detection;

/* Of all images of a call: image i has items[offsets[i]] .. items[offsets[i + 1] - 1], best score first. */
typedef struct dk_detections {
  uint32_t struct_size;
  uint32_t item_size; /* bytes from one item to the next */
  int64_t image_count;
  const int64_t* offsets;  /* image_count + 1 */
  const int32_t* sizes_px; /* width, height of each image: 2 * image_count */
  const dk_detection* items;
} dk_detections;

/* options may be NULL. images: an array whose first element's struct_size is the step. */
DK_API dk_status dk_network_detect(dk_network* network, const dk_image* images, int64_t image_count,
                                   const dk_detect_options* options, dk_detections** out_detections);
DK_API void dk_detections_free(dk_detections* detections);

/* ---- pictures, decoded as the trainer decodes them ---- */

typedef struct dk_pixels {
  uint32_t struct_size;
  int32_t format; /* DK_PIXELS_RGB8 */
  int32_t width_px;
  int32_t height_px;
  int64_t row_bytes;
  const void* pixels;
} dk_pixels;

/* A JPEG or PNG file, upright. max_pixels 0 = 100,000,000. */
DK_API dk_status dk_image_read(const char* path, int64_t max_pixels, dk_pixels** out_pixels);
DK_API void dk_pixels_free(dk_pixels* pixels);

#ifdef __cplusplus
}
#endif

#endif
