// The ARM of a fit in single precision throughout.
#include "kernels/fit_arm.h"

namespace wyner::WYNER_ISA {
void fit_arm(ArmTask& t);
int fit_arm_scratch(int width, int E);
}  // namespace wyner::WYNER_ISA

namespace {

template <int S, int F, int N, int E>
class SingleLayers {
 public:
  static constexpr int I = S + E;

  explicit SingleLayers(const Weights<S, F, N, E>&) {}

  Block* out(int phase) { return h1_[phase] + N; }

  void forward(const Weights<S, F, N, E>& w, const ArmInputs<N, I>& in) {
    const BlockView<N + 2> one = view(h1_), out = view(h1_, N);
    dense<I, N>(w.w1, in.view(), kPhases, SharedView{in.feature_part}, relu_into(one));
    dense<N, N>(w.w2, one, kPhases, bias(w.b2), relu_into(view(h2_)));
    dense<I, 2>(w.wl, in.view(), kPhases, in.less_latent(), into(out));
    dense<N, 2>(w.wo, view(h2_), kPhases, no_bias(), [out](int o, int b, int p, V v) { out(o, b, p) += v; });
  }

  // counts: whether to the gradients of the weights, too.
  void backward(Weights<S, F, N, E>& w, const ArmInputs<N, I>& in, bool counts, QuadGradients<S>& dx) {
    const BlockView<N + 2> one = view(h1_), out = view(h1_, N);
    const BlockView<N> two = view(h2_);
    if (counts) {
      outer<N, 2>(out, two, kPhases, w.gwo);
      outer<I, 2>(out, in.view(), kPhases, w.gwl);
    }
    dense<2, N>(w.wo_back, out, kPhases, no_bias(), relu_gradient_over(two));
    if (counts) {
      bias_sum<N>(two, kPhases, w.gb2);
      outer<N, N>(two, one, kPhases, w.gw2);
    }
    dense<N, N>(w.w2_back, two, kPhases, no_bias(), relu_gradient_over(one));
    if (counts) outer<I, N>(one, in.view(), kPhases, w.gw1);
    dense<N + 2, S>(w.neighbours_back, one, kPhases, no_bias(), [&dx](int c, int phase, int p, V v) {
      store(dx.neighbour(phase, c) + p * kLanes, v);
    });
  }

  void sum_phases(Block* total) const {
    for (int o = 0; o < N + 2; ++o)
      for (int p = 0; p < kVecs; ++p) total[o][p] = (h1_[0][o][p] + h1_[1][o][p]) + (h1_[2][o][p] + h1_[3][o][p]);
  }

 private:
  Block h1_[kPhases][N + 2];  // hidden units, then their gradients, followed by those of (mu, s)
  Block h2_[kPhases][N];      // hidden units, then their gradients
};

}  // namespace

namespace wyner::WYNER_ISA {

int fit_arm_scratch(int width, int E) { return QuadRows::floats(width) + KnownRows<kSideContexts>::floats(width, E); }

void fit_arm(ArmTask& t) { run_arm<SingleLayers>(t); }

}  // namespace wyner::WYNER_ISA
