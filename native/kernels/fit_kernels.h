// Hot loops of the fitting engine. Planes of floats have rows of `stride` floats; a pointer names pixel (0, 0).
// Around every latent plane lie kPadRows rows above and kPad floats left and right, all zero.
#pragma once

#include <cstdint>

namespace wyner {

constexpr int kPad = 16;       // floats left of column 0
constexpr int kPadRows = 3;    // rows above row 0
constexpr int kBlock = 32;     // pixels that layers treat at once: every other one of kColumns
constexpr int kColumns = 64;   // strides are multiples
constexpr int kMaxContexts = 20;
constexpr int kSideContexts = 4, kSidePlanes = 6;  // E and X where there is a side picture
constexpr int kOffsets[kMaxContexts][2] = {
    {0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-1, -2}, {-1, 2}, {-2, -1}, {-2, 1},
    {0, -3}, {-3, 0}, {-2, -2}, {-2, 2}, {-1, -3}, {-3, -1}, {-3, 1}, {-2, -3}, {-2, 3}, {-3, -2}};

// Which pieces of a picture the gradients of weights come from: every `every`-th, or none. They are then to be multiplied
// by `every`.
struct Thinning {
  int every, turn;
  bool counts(int piece) const { return every > 0 && (piece + turn) % every == 0; }
};

// Rate and gradients of one strip of rows of one grid.
struct ArmTask {
  int S, F, N, E;
  const float* params;   // arm.w1 ... arm.bo, in order
  int w, h, stride, row0, row1;  // row0 is even
  const float* q;        // latents after the quantiser proxy
  const float* features; // F maps of half size
  int feature_stride, feature_plane;
  const float* const* side;  // E planes of known contexts, as q
  float gradient_scale;  // of the loss with respect to one bit
  Thinning thinning;     // pieces: blocks
  float* gq;             // out: gradient, rows row0..row1-1
  float* halo;           // out: gradient of the kPadRows rows above row0 (stride floats each)
  float* gfeatures;      // out: gradient of the features, rows row0/2..
  float* gparams;        // out: gradient of params, from the pieces that count
  float* scratch;        // arm_scratch_floats()
  double bits;           // out
};

// The finest upsampling, synthesis, loss and all the way back for one strip of rows.
struct SynthTask {
  int G, M, X, planes;   // planes: 1 or 3 planes of the picture
  const float* params;   // syn.w1 ... syn.d2, in order
  const float* taps;     // 4, of the finest upsampling
  int w, h, stride, row0, row1;  // row0 is even
  const float* u0;       // the finest plane
  const float* const* v; // the G - 1 others before the finest upsampling
  int v_stride;
  const float* const* side;  // X known planes, as u0
  const float* image;    // `planes` planes in [0, 1]
  int image_plane;
  float gradient_scale;  // 2 / (number of samples)
  Thinning thinning;     // pieces: rows
  float* gu0;            // out: rows row0..row1-1
  float* const* gv;      // out: rows row0/2.. before the next strip's
  float* halo;           // out: gradients for rows of v beside these: 2 above and 2 below, of G - 1 planes each
  float* gparams;        // out: gradient of params, from the pieces that count
  float gtaps[4];        // out
  float* scratch;        // synth_scratch_floats()
  double squared_error;  // out
};

// Maps of features of one grid from the coarser grids, rows row0..row1-1 (multiples of 4 but for the last).
struct FeatureTask {
  int F, sources;        // sources: 0..3 coarser grids; source m is halved m times more
  const float* weights;  // F x 6
  const float* bias;     // F
  int w, h, stride, plane, row0, row1;  // of the maps
  const float* q[3];
  const float* magnitude[3];  // smoothed |q|
  int source_stride[3];
  float* features;       // forward: out
  const float* gfeatures;
  float* gq[3];          // backward: added to
  float* gmagnitude[3];  // backward: added to
  float gweights[6 * 8], gbias[8];  // backward: out
  float* scratch;        // feature_scratch_floats()
};

// magnitude = |q| smoothed by [1 2 1]/4 both ways, edges clamped; rows row0..row1-1 of either.
struct MagnitudeTask {
  int w, h, stride, row0, row1;
  const float* q;
  float* magnitude;         // forward: out
  const float* gmagnitude;
  float* gq;                // backward: added to
  float* scratch;           // feature_scratch_floats()
};

struct QuantiseRow {
  const float* y;
  float* q;              // out, and zeros up to the padded width
  float* dq;             // out: derivative of q
  int w, padded;
  float temperature, noise;  // noise: standard deviation; temperature <= 0: round, derivative 1
  uint32_t seed;
};

struct AdamRow {
  float *y, *m, *v;
  const float *gq, *dq;
  int w;
  float lr, beta1, beta2, correction1, correction2, eps;
};

// Separable filters. Rows row0..row1-1 of `out` (forward) or of `gin` (backward); row0 is even. The upsampling sets
// gin, the filter before it adds to gin. gout is zero outside the picture.
struct FilterTask {
  const float* taps;     // 4
  const float* in;
  int in_w, in_h, in_stride;
  float* out;
  const float* gout;
  float* gin;
  int out_w, out_h, out_stride, row0, row1;
  float gtaps[4];        // out
  float* scratch;        // filter_scratch_floats()
};

struct FitKernels {
  int lanes;
  void (*arm)(ArmTask&);
  int (*arm_scratch_floats)(int width, int E);
  void (*synth)(SynthTask&);
  int (*synth_scratch_floats)(int width, int G, int X);
  void (*quantise)(QuantiseRow&);
  void (*adam)(AdamRow&);
  void (*up_forward)(FilterTask&);
  void (*up_backward)(FilterTask&);
  void (*pre_forward)(FilterTask&);
  void (*pre_backward)(FilterTask&);
  int (*filter_scratch_floats)(int rows, int width);
  void (*features_forward)(FeatureTask&);
  void (*features_backward)(FeatureTask&);
  void (*magnitude_forward)(MagnitudeTask&);
  void (*magnitude_backward)(MagnitudeTask&);
  int (*feature_scratch_floats)(int width);
};

const FitKernels& fit_kernels();
// The ARM with hidden layers in bfloat16, where processors gain by it; else null.
using ArmKernel = void (*)(ArmTask&);
ArmKernel rough_arm();

}  // namespace wyner
