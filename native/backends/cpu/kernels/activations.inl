// Activations and their slopes for a vector of inputs; the formulas of math/activation.h in forms without branches and with
// one exponential and one reciprocal each. Included inside the namespace of an instruction set.

// Exact: to rounding of f32. Rough: relative error below 1.5e-4, a tenth of half a step of bf16, for values that will be
// rounded to bf16 at once; only where nothing is taken away from a rough result.
struct Exact {};
struct Rough {};

// Below -104 the result is 0; x must stay below 88. x = n ln 2 + r, a polynomial in r times 2^n; both polynomials are minimax
// of the relative error on |r| <= ln(2)/2 (3e-9 and 7.5e-5).
inline Vf exponential(Vf x, Exact = {}) {
  x = max(set1(-104.0f), x);
  const Vf n = round(x * set1(1.44269504088896341f));
  Vf r = fnma(n, set1(0.693145751953125f), x);
  r = fnma(n, set1(1.42860682030941723e-6f), r);
  Vf p = fma(set1(1.381459859e-03f), r, set1(8.368716967e-03f));
  p = fma(p, r, set1(4.166838805e-02f));
  p = fma(p, r, set1(1.666652063e-01f));
  p = fma(p, r, set1(4.999999345e-01f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return scale_by_power(p, n);
}

inline Vf exponential(Vf x, Rough) {
  x = max(set1(-104.0f), x);
  const Vf n = round(x * set1(1.44269504088896341f));
  const Vf r = fnma(n, set1(0.693147180559945f), x);
  Vf p = fma(set1(1.656682252e-01f), r, set1(5.049642678e-01f));
  p = fma(p, r, set1(1.000164252f));
  p = fma(p, r, set1(9.999280449e-01f));
  return scale_by_power(p, n);
}

inline Vf inverse(Vf x, Exact = {}) { return reciprocal(x); }
inline Vf inverse(Vf x, Rough) { return rough_reciprocal(x); }

template <class Precision = Exact>
inline Vf sigmoid(Vf x) {
  return inverse(set1(1.0f) + exponential(min(set1(87.0f), zero() - x), Precision()), Precision());
}

// Mish from t = e^x: tanh(ln(1 + t)) = n / (n + 2) with n = t (t + 2). Beyond 20 the quotient is 1 in float.
template <class Precision>
inline Vf mish(Vf x) {
  const Vf t = exponential(min(set1(20.0f), x), Precision());
  const Vf n = t * (t + set1(2.0f));
  return x * (n * inverse(n + set1(2.0f), Precision()));
}

// w + x (1 - w^2) sigmoid(x) with w = n / (n + 2): 1 - w^2 = 4 (1 + t)^2 / (n + 2)^2 and sigmoid(x) = t / (1 + t).
template <class Precision>
inline Vf mish_slope(Vf x) {
  x = min(set1(20.0f), x);
  const Vf t = exponential(x, Precision());
  const Vf n = t * (t + set1(2.0f));
  const Vf d = inverse(n + set1(2.0f), Precision());
  const Vf rest = fma(t, t, t) * d * set1(4.0f);
  return d * fma(x, rest, n);
}

// tanh(u) = 1 - 2 / (1 + e^(2u))
inline Vf hyperbolic_tangent(Vf u) {
  return fnma(set1(2.0f), reciprocal(set1(1.0f) + exponential(min(set1(87.0f), u + u))), set1(1.0f));
}

inline Vf gelu_inner(Vf x) { return x * fma(set1(0.035677f) * x, x, set1(0.797885f)); }

template <Activation A, class Precision = Exact>
inline Vf activate(Vf x) {
  const Vf one = set1(1.0f), none = zero();
  if constexpr (A == Activation::leaky) return select(greater(x, none), x, x * set1(0.1f));
  if constexpr (A == Activation::logistic) return sigmoid<Precision>(x);
  if constexpr (A == Activation::relu) return select(greater(x, none), x, none);
  if constexpr (A == Activation::relu6) return min(set1(6.0f), max(none, x));
  if constexpr (A == Activation::mish) return mish<Precision>(x);
  if constexpr (A == Activation::swish) return x * sigmoid<Precision>(x);
  if constexpr (A == Activation::hard_mish) {
    return select(greater(x, none), x, select(greater(x, set1(-2.0f)), fma(x * set1(0.5f), x, x), none));
  }
  if constexpr (A == Activation::tanh_) return fma(set1(2.0f), sigmoid(x + x), set1(-1.0f));
  if constexpr (A == Activation::elu) return select(greater_equal(x, none), x, exponential(min(none, x)) - one);
  if constexpr (A == Activation::selu) {
    return select(greater_equal(x, none), x * set1(1.0507f), set1(1.0507f * 1.6732f) * (exponential(min(none, x)) - one));
  }
  if constexpr (A == Activation::gelu) return x * set1(0.5f) * (one + hyperbolic_tangent(gelu_inner(x)));
  if constexpr (A == Activation::loggy) return fma(set1(2.0f), sigmoid(x), set1(-1.0f));
  if constexpr (A == Activation::ramp) return select(greater(x, none), x, none) + x * set1(0.1f);
  if constexpr (A == Activation::relie) return select(greater(x, none), x, x * set1(0.01f));
  if constexpr (A == Activation::hardtan) return min(one, max(set1(-1.0f), x));
  return x;
}

template <Activation A, class Precision = Exact>
inline Vf slope(Vf x) {
  const Vf one = set1(1.0f), none = zero();
  if constexpr (A == Activation::leaky) return select(greater(x, none), one, set1(0.1f));
  if constexpr (A == Activation::logistic) {
    const Vf y = sigmoid(x);
    return y * (one - y);
  }
  if constexpr (A == Activation::relu) return select(greater(x, none), one, none);
  if constexpr (A == Activation::relu6) return select(greater(x, none), select(greater(set1(6.0f), x), one, none), none);
  if constexpr (A == Activation::mish) return mish_slope<Precision>(x);
  if constexpr (A == Activation::swish) {
    const Vf s = sigmoid<Precision>(x), y = x * s;
    return fma(s, one - y, y);
  }
  if constexpr (A == Activation::hard_mish) {
    return select(greater(x, none), one, select(greater(x, set1(-2.0f)), x + one, none));
  }
  if constexpr (A == Activation::tanh_) {
    const Vf y = activate<A>(x);
    return fnma(y, y, one);
  }
  if constexpr (A == Activation::elu) return select(greater_equal(x, none), one, exponential(min(none, x)));
  if constexpr (A == Activation::selu) {
    return select(greater_equal(x, none), set1(1.0507f), set1(1.0507f * 1.6732f) * exponential(min(none, x)));
  }
  if constexpr (A == Activation::gelu) {
    const Vf t = hyperbolic_tangent(gelu_inner(x)), inner = fma(set1(3.0f * 0.035677f) * x, x, set1(0.797885f));
    return set1(0.5f) * fma(x * fnma(t, t, one), inner, one + t);
  }
  if constexpr (A == Activation::loggy) {
    const Vf y = activate<A>(x);
    return set1(0.5f) * fnma(y, y, one);
  }
  if constexpr (A == Activation::ramp) return select(greater(x, none), set1(1.1f), set1(0.1f));
  if constexpr (A == Activation::relie) return select(greater(x, none), one, set1(0.01f));
  if constexpr (A == Activation::hardtan) { return select(greater(x, set1(-1.0f)), select(greater(one, x), one, none), none); }
  return one;
}
