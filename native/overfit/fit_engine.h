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
#include "overfit/fit_networks.h"
#include "overfit/side_inputs.h"

namespace wyner {

struct FitResult {
  double mse = 0;                 // mean squared error, samples in [0, 1]
  std::vector<double> grid_bits;
  double bits() const;
};

class Fitter {
 public:
  struct Plane {
    AlignedVector<float> data;
    int stride = 0;
    float* at = nullptr;  // pixel (0, 0)
    void allocate(int w, int h);
    void assign(const overfit::Plane& from, int bits);  // integers of so many fractional bits
  };
  // What lasts from step to step, but for the networks: of one of several pictures that take turns in a fitter.
  struct State {
    Plane image;
    std::vector<Plane> y, m, v;  // of each grid: latents, moments of their gradients
    uint32_t seed = 0;
    int64_t steps = 0;
  };

  // image: planes x height x width in [0, 1]; planes is 1 or 3.
  // side: of a picture of this size, or without contexts and planes; sizes.E and .X are how many it has.
  Fitter(const float* image, int planes, int width, int height, FitSizes sizes, int grids, int threads,
         uint32_t seed, const overfit::SideInputs& side = {});

  const FitLayout& layout() const { return layout_; }
  int planes() const { return planes_; }
  int grids() const { return grids_; }
  int grid_width(int i) const { return levels_[i].w; }
  int grid_height(int i) const { return levels_[i].h; }
  std::vector<float>& params() { return networks_.params; }
  const std::vector<float>& param_gradient() const { return gparams_; }
  void set_prior(std::vector<float> mean, std::vector<float> inverse_scale);
  void get_latents(int grid, float* out) const;
  void set_latents(int grid, const float* values);
  void get_latent_gradient(int grid, float* out) const;

  // Loss and gradients with the latents taken as they are. thin: as of a step. rough: in the precision of steps with noise.
  FitResult gradients(float lambda, int thin = 1, bool rough = false);
  // One step of the optimiser, which is the three after it one after another.
  FitResult step(const FitStep& s);
  FitResult trial(const FitStep& s);  // loss and gradients with noise and soft rounding
  void move_latents(const FitStep& s);
  void move_networks(const FitStep& s);

  // A state to begin with, for another picture of the same size: its latents are 0.
  State fresh_state(const float* image, uint32_t seed) const;
  void exchange(State& state);

 private:
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

  Plane copy_of(const float* image) const;
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
  // The task of the strip of the maps of grid i from row0, without what only one direction needs.
  FeatureTask feature_task(int i, int row0);
  // Memory with undefined contents: of a thread; for gradients of parameters, per strip; for rows beside strips.
  float* scratch(int thread, size_t floats);
  float* parts(size_t floats);
  float* halo(size_t floats);
  // Over `every` pairs of steps, all pieces have their turn.
  Thinning thinning(int every) const { return {every, every > 0 ? int(steps_ / 2 % every) : 0}; }
  // gparams_[offset ..] = sum of `count` parts of n floats, in order; they lie `stride` floats apart.
  void reduce(int offset, int n, const float* parts, int count, int stride);

  int planes_, width_, height_, grids_;
  FitSizes sizes_;
  FitLayout layout_;
  const FitKernels& kernels_;
  const ArmKernel rough_arm_;
  ThreadPool pool_;
  uint32_t seed_;
  int64_t steps_ = 0;
  int thin_ = 1;  // as of the step; 0 where networks stay
  bool rough_ = false;  // noise hides what less precision does
  std::vector<Level> levels_;
  Plane image_;
  std::vector<Plane> side_;                  // known planes of the synthesis
  int image_plane_;
  std::vector<Strip> strips_;  // of 32 rows, every grid, finest first
  std::vector<AlignedVector<float>> scratch_;
  AlignedVector<float> halo_, parts_;
  FitNetworks networks_;
  std::vector<float> gparams_;
};

}  // namespace wyner
