// The fitting engine of the overfit codec: one step = quantiser proxy, rate and distortion of the model of
// docs/spec/overfit.md in floats, all gradients; Adam on the latents,
// SOAP on the networks. Same bytes for any number of threads on one instruction set.
//
//   y --proxy--> q --+--> smoothed |q| --> features --+--> ARM --> bits
//                    +--------------------------------'
//                    '--> filter, x2 upsampling --> u --> synthesis --> x_hat --> mean squared error
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "kernels/fit_kernels.h"
#include "overfit/side_inputs.h"
#include "overfit/soap.h"

namespace wyner {

struct FitSizes {
  int S, F, N, M;  // as in the specification
  int E = 0, X = 0;  // contexts and planes from a side picture
};

// Offsets of the parameter vector (docs/spec/overfit.md, section 5).
struct FitLayout {
  int ifc_w, ifc_b, up, pre, syn, end;
  FitLayout(const FitSizes& s, int grids);
};

struct FitResult {
  double mse = 0;                 // mean squared error, samples in [0, 1]
  std::vector<double> grid_bits;
  double bits() const;
};

struct FitStep {
  float lr_latents, lr_params;
  float temperature;  // of soft rounding; <= 0 rounds hard, with the identity as derivative
  float noise;        // standard deviation
  float lambda;       // loss = mse + lambda * bits / pixels
  float weight_rate;  // factor on the rate of the parameters under the model's prior
};

class Fitter {
 public:
  // image: planes x height x width in [0, 1]; planes is 1 or 3.
  // side: of a picture of this size, or without contexts and planes; sizes.E and .X are how many it has.
  Fitter(const float* image, int planes, int width, int height, FitSizes sizes, int grids, int threads,
         uint32_t seed, const overfit::SideInputs& side = {});

  const FitLayout& layout() const { return layout_; }
  int grids() const { return grids_; }
  int grid_width(int i) const { return levels_[i].w; }
  int grid_height(int i) const { return levels_[i].h; }
  std::vector<float>& params() { return params_; }
  const std::vector<float>& param_gradient() const { return gparams_; }
  // Prior of the parameters: mean, and 1/b of a Laplace distribution.
  void set_prior(std::vector<float> mean, std::vector<float> inverse_scale);
  void get_latents(int grid, float* out) const;
  void set_latents(int grid, const float* values);
  void get_latent_gradient(int grid, float* out) const;

  // Loss and gradients with the latents taken as they are.
  FitResult gradients(float lambda);
  // One step of the optimiser.
  FitResult step(const FitStep& s);

 private:
  struct Plane {
    AlignedVector<float> data;
    int stride = 0;
    float* at = nullptr;  // pixel (0, 0)
    void allocate(int w, int h);
    void assign(const overfit::Plane& from, int bits);  // integers of so many fractional bits
  };
  struct Level {
    int w, h;
    Plane y, q, dq, gq, m, v, magnitude, gmagnitude;
    std::vector<Plane> side;                   // known contexts
    int map_w, map_h, map_plane;
    Plane features, gfeatures;                 // F maps of half size, one under the other
    std::vector<Plane> u, gu;                // u[0]: the grid's own, filtered; u[j]: grid i+j upsampled, but for i = 0
  };
  struct Strip {
    int grid, row0, row1;
  };

  static constexpr int kStripRows = 32;
  static constexpr int kSynthRows = 64;  // of strips of the synthesis, which compute 4 rows either side again
  static int strips_of(int rows) { return (rows + kStripRows - 1) / kStripRows; }

  void quantise(const FitStep& s);
  FitResult forward_backward(float lambda);
  void prefilter();
  void features_forward();
  void arm(float lambda, FitResult& result);
  void upsample();
  void synthesis(FitResult& result);
  void add_synthesis_halo(int strip, const float* halo);
  void upsample_backward();
  void prefilter_backward();
  void features_backward();
  void update(const FitStep& s);
  // The task of the strip of the maps of grid i from row0, without what only one direction needs.
  FeatureTask feature_task(int i, int row0);
  // Memory with undefined contents: of a thread; for gradients of parameters, per strip; for rows beside strips.
  float* scratch(int thread, size_t floats);
  float* parts(size_t floats);
  float* halo(size_t floats);
  // gparams_[offset ..] = sum of `count` parts of n floats, in order; they lie `stride` floats apart.
  void reduce(int offset, int n, const float* parts, int count, int stride);

  int planes_, width_, height_, grids_;
  FitSizes sizes_;
  FitLayout layout_;
  const FitKernels& kernels_;
  ThreadPool pool_;
  uint32_t seed_;
  int64_t steps_ = 0;
  std::vector<Level> levels_;
  Plane image_;
  std::vector<Plane> side_;                  // known planes of the synthesis
  int image_plane_;
  std::vector<Strip> strips_;  // of 32 rows, every grid, finest first
  std::vector<AlignedVector<float>> scratch_;
  AlignedVector<float> halo_, parts_;
  Soap soap_;
  std::vector<float> params_, gparams_, prior_mean_, prior_inverse_;
};

}  // namespace wyner
