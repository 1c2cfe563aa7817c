// Fits the latents of several pictures and the networks that they share (docs/spec/shared.md). The loss is that of one
// picture with as many pixels as all of them: mean squared error + lambda * bits / pixels. Same bytes for any
// number of threads on one instruction set.
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "overfit/fit_engine.h"

namespace wyner {

class SetFitter {
 public:
  struct Picture {
    const float* image;  // planes x height x width in [0, 1]; used while constructing
    int planes, width, height;
  };

  SetFitter(const std::vector<Picture>& pictures, FitSizes sizes, int grids, int threads, uint32_t seed);

  int pictures() const { return int(places_.size()); }
  int grids() const { return grids_; }
  int grid_width(int picture, int grid) const { return engine(picture).grid_width(grid); }
  int grid_height(int picture, int grid) const { return engine(picture).grid_height(grid); }
  double pixels() const { return pixels_; }
  std::vector<float>& params() { return networks_.params; }
  const std::vector<float>& param_gradient() const { return gradient_; }
  void set_prior(std::vector<float> mean, std::vector<float> inverse_scale);
  void get_latents(int picture, int grid, float* out);
  void set_latents(int picture, int grid, const float* values);

  // As of a Fitter; bits and gradients are those of all pictures.
  FitResult gradients(float lambda);
  FitResult step(const FitStep& s);

 private:
  struct Place {
    Fitter* engine;  // of this size; pictures of one worker that have one size share it
    Fitter::State state;
    double share;    // of all pixels
  };
  struct Worker {
    std::vector<std::unique_ptr<Fitter>> engines;
    std::vector<int> pictures;
  };

  const Fitter& engine(int picture) const { return *places_[picture].engine; }
  Fitter* engine_for(Worker& worker, const Picture& p, FitSizes sizes, int threads);
  // Calls work(fitter) with each picture in its fitter, and returns its sums over all pictures.
  template <class Work>
  FitResult visit(Work work);

  int grids_;
  double pixels_ = 0;
  std::vector<Place> places_;
  std::vector<Worker> workers_;
  ThreadPool pool_;
  FitNetworks networks_;
  std::vector<float> gradient_;
  std::vector<std::vector<float>> gradients_;  // of each picture
};

}  // namespace wyner
