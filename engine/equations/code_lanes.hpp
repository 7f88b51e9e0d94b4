// Lanes of code that is being written: what math_kernels.hpp asks of a type, as instructions of LLVM. For compiled.cpp alone.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <cstdint>

namespace hartline::equations {

using Builder = llvm::IRBuilder<>;

struct Emitter {
  Builder& ir;
  bool fused;
  bool scales;  // the processor multiplies by powers of two in one instruction (AVX-512)
};

/// A number that the code being written will have: one for all lanes or, as a vector, one for each.
struct Number {
  llvm::Value* value = nullptr;
  Emitter* to = nullptr;

  bool varies() const { return value->getType()->isVectorTy(); }
};
/// A truth, or a whole number of 64 bits, likewise.
struct Mask {
  llvm::Value* value;
};
struct Whole {
  llvm::Value* value = nullptr;
  Emitter* to = nullptr;
};

inline Number like(Number v, double c) { return {llvm::ConstantFP::get(v.value->getType(), c), v.to}; }
inline Number operator+(Number a, Number b) { return {a.to->ir.CreateFAdd(a.value, b.value), a.to}; }
inline Number operator-(Number a, Number b) { return {a.to->ir.CreateFSub(a.value, b.value), a.to}; }
inline Number operator*(Number a, Number b) { return {a.to->ir.CreateFMul(a.value, b.value), a.to}; }
inline Number operator/(Number a, Number b) { return {a.to->ir.CreateFDiv(a.value, b.value), a.to}; }
inline Number operator-(Number a) { return {a.to->ir.CreateFNeg(a.value), a.to}; }
inline Number multiply_add(Number a, Number b, Number c) {
  if (!a.to->fused) return a * b + c;
  return {a.to->ir.CreateIntrinsic(llvm::Intrinsic::fma, {a.value->getType()}, {a.value, b.value, c.value}), a.to};
}
inline Number rounded(Number v) { return v; }  // only multiply_add is fused

inline Mask less(Number a, Number b) { return {a.to->ir.CreateFCmpOLT(a.value, b.value)}; }
inline Mask less_equal(Number a, Number b) { return {a.to->ir.CreateFCmpOLE(a.value, b.value)}; }
inline Mask equal(Number a, Number b) { return {a.to->ir.CreateFCmpOEQ(a.value, b.value)}; }
inline Mask unequal(Number a, Number b) { return {a.to->ir.CreateFCmpUNE(a.value, b.value)}; }
inline Number choose(Mask mask, Number a, Number b) { return {a.to->ir.CreateSelect(mask.value, a.value, b.value), a.to}; }
inline Number truth(Mask mask, Number v) { return choose(mask, like(v, 1), like(v, 0)); }

inline llvm::Type* whole_type(Number v) { return v.value->getType()->getWithNewType(v.to->ir.getInt64Ty()); }
inline Whole integers(Number v) { return {nullptr, v.to}; }
inline Whole bits_of(Number v) { return {v.to->ir.CreateBitCast(v.value, whole_type(v)), v.to}; }
inline Number with_bits(Whole k, llvm::Type* type) { return {k.to->ir.CreateBitCast(k.value, type), k.to}; }
inline Whole like(Whole k, std::int64_t c) {
  return {llvm::ConstantInt::get(k.value->getType(), static_cast<std::uint64_t>(c), true), k.to};
}
inline Whole operator+(Whole a, std::int64_t c) { return {a.to->ir.CreateAdd(a.value, like(a, c).value), a.to}; }
inline Whole operator-(Whole a, Whole b) { return {a.to->ir.CreateSub(a.value, b.value), a.to}; }
inline Whole operator-(Whole a, std::int64_t c) { return a - like(a, c); }
inline Whole operator<<(Whole a, std::int64_t c) { return {a.to->ir.CreateShl(a.value, like(a, c).value), a.to}; }
inline Whole operator>>(Whole a, std::int64_t c) { return {a.to->ir.CreateAShr(a.value, like(a, c).value), a.to}; }

constexpr double shift = 0x1.8p52;
constexpr std::int64_t shift_bits = 0x4338000000000000;

inline Number round_to_int(Number v, Number factor, Whole& k) {
  const Number shifted = multiply_add(v, factor, like(v, shift));
  k = bits_of(shifted);
  return shifted - like(v, shift);
}
inline llvm::Type* number_type(Whole k) { return k.value->getType()->getWithNewType(k.to->ir.getDoubleTy()); }
inline Number power_of_two(Whole k, int more) { return with_bits((k << 52) + (std::int64_t{1023 + more} << 52), number_type(k)); }
inline Number scaled(Number v, Number whole, Whole k) {
  Builder& ir = v.to->ir;
  if (v.to->scales && v.varies()) {
    llvm::Value* all = ir.getInt8(0xff);
    return {ir.CreateIntrinsic(llvm::Intrinsic::x86_avx512_mask_scalef_pd_512, {},
                               {v.value, whole.value, v.value, all, ir.getInt32(4)}),  // 4: rounds as everything does
            v.to};
  }
  const Number last = choose(less(whole, like(v, 0)), like(v, 0x1p-64), like(v, 0x1p64));
  const Number first = with_bits(((k << 52) - bits_of(last)) + (std::int64_t{2 * 1023} << 52), v.value->getType());
  return (v * first) * last;
}
inline Number split(Number v, Number& exponent) {
  const Whole bits = bits_of(v), k = (bits - 0x3fe6a09e667f3bcd) >> 52;
  // exact for small whole numbers, and quicker than a conversion where there is none for vectors of 64 bits
  exponent = with_bits(k + shift_bits, v.value->getType()) - like(v, shift);
  return with_bits(bits - (k << 52), v.value->getType());
}
inline Number head(Number v) {
  const Whole bits = bits_of(v);
  return with_bits({v.to->ir.CreateAnd(bits.value, like(bits, -0x8000000).value), v.to}, v.value->getType());
}
inline Mask negative(Number v) {
  const Whole bits = bits_of(v);
  return {v.to->ir.CreateICmpSLT(bits.value, like(bits, 0).value)};
}

inline Number whole_power(Number x, int n) {
  Number y = x, power = x;
  for (--n; n > 0; n >>= 1) {
    if (n & 1) y = y * power;
    power = power * power;
  }
  return y;
}

}  // namespace hartline::equations
