import Foundation
import PlumbEvaluation
import PlumbTestSupport
import Testing

struct ScalingLawTests {
  struct File: Decodable {
    struct Law: Decodable { let a, b, c: Double }
    let x, loss: [Double]
    let generating, least_squares_fit: Law
  }

  @Test func goldenFit() throws {
    let file = try Golden.json("scaling_law", as: File.self)
    let law = try ScalingLaw(sizes: file.x, losses: file.loss)
    let expected = file.least_squares_fit
    expectClose(law.a, expected.a, absolute: 0, relative: 1e-4)
    expectClose(law.b, expected.b, absolute: 0, relative: 1e-4)
    expectClose(law.c, expected.c, absolute: 0, relative: 1e-4)
    // No worse than SciPy's own fit.
    let reference = zip(file.x, file.loss).reduce(0) { sum, point in
      let residual = expected.a * pow(point.0, -expected.b) + expected.c - point.1
      return sum + residual * residual
    }
    #expect(law.residual <= (reference / 12).squareRoot() * (1 + 1e-9))
    #expect(law.rSquared > 0.999)
    // Near the law that made the points.
    expectClose(law.b, file.generating.b, absolute: 0.02, relative: 0)
  }

  @Test(arguments: [(4.2, 0.18, 0.41), (100, 0.5, 2), (3, 1.5, 0), (-2, 0.3, 1)])
  func exactLawsAreFound(a: Double, b: Double, c: Double) throws {
    let sizes = [1e2, 1e3, 3e3, 1e4, 1e5, 1e6]
    let law = try ScalingLaw(sizes: sizes, losses: sizes.map { a * pow($0, -b) + c })
    expectClose(law.a, a, absolute: 0, relative: 1e-5)
    expectClose(law.b, b, absolute: 0, relative: 1e-6)
    expectClose(law.c, c, absolute: 1e-6, relative: 1e-6)
    expectClose(law.loss(at: 1e7), a * pow(1e7, -b) + c, absolute: 1e-6)
  }

  @Test func unitOfTheSizeOnlyScalesTheFactor() throws {
    let file = try Golden.json("scaling_law", as: File.self)
    let law = try ScalingLaw(sizes: file.x, losses: file.loss)
    let inMillions = try ScalingLaw(sizes: file.x.map { $0 / 1e6 }, losses: file.loss)
    expectClose(inMillions.b, law.b, absolute: 0, relative: 1e-6)
    expectClose(inMillions.a, law.a * pow(1e6, -law.b), absolute: 0, relative: 1e-5)
  }

  @Test func whatCannotBeFittedIsRefused() {
    let sizes = [1.0, 10, 100, 1000]
    #expect(throws: ScalingLawError.unequalCounts(sizes: 4, losses: 1)) {
      try ScalingLaw(sizes: sizes, losses: [1])
    }
    #expect(throws: ScalingLawError.tooFewSizes(found: 2)) {
      try ScalingLaw(sizes: [1, 10, 10], losses: [3, 2, 2])
    }
    #expect(throws: ScalingLawError.invalidPoint(index: 1, size: 0, loss: 2)) {
      try ScalingLaw(sizes: [1, 0, 3], losses: [3, 2, 1])
    }
    #expect(throws: ScalingLawError.undeterminedExponent) {
      try ScalingLaw(sizes: sizes, losses: [2, 2, 2, 2])
    }
    // A straight line in log x never bends towards a limit.
    #expect(throws: ScalingLawError.undeterminedExponent) {
      try ScalingLaw(sizes: sizes, losses: [4, 3, 2, 1])
    }
    #expect("\(ScalingLawError.tooFewSizes(found: 2))".contains("found 2"))
  }
}
