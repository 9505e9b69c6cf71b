import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

/// The decomposition against numpy's least squares, and what must hold of any decomposition.
@Suite struct HodgeTests {
  struct File: Decodable {
    struct Case: Decodable {
      let flow, weights: [[Double]]
      let ratings: [Double]
      let edges: [[Int]]
      let gradient, curl, harmonic: [Double]
      let energy: Energy
    }
    struct Energy: Decodable { let total, gradient, curl, harmonic: Double }
    let cases: [Case]
  }

  @Test(arguments: 0..<5) func goldenParts(index: Int) throws {
    let golden = try Golden.json("hodge", as: File.self).cases[index]
    let found = HodgeDecomposition(flow: golden.flow, weights: golden.weights)
    expectClose(found.ratings, golden.ratings, absolute: 1e-9, relative: 1e-9)
    for (name, table, values) in [
      ("gradient", found.gradient, golden.gradient), ("curl", found.curl, golden.curl),
      ("harmonic", found.harmonic, golden.harmonic),
    ] {
      for (edge, value) in zip(golden.edges, values) {
        expectClose(table[edge[0]][edge[1]], value, absolute: 1e-9, relative: 1e-9, name)
        #expect(table[edge[1]][edge[0]] == -table[edge[0]][edge[1]])
      }
    }
    expectClose(found.energy.total, golden.energy.total, absolute: 1e-9, relative: 1e-9)
    expectClose(found.energy.gradient, golden.energy.gradient, absolute: 1e-9, relative: 1e-9)
    expectClose(found.energy.curl, golden.energy.curl, absolute: 1e-9, relative: 1e-9)
    expectClose(found.energy.harmonic, golden.energy.harmonic, absolute: 1e-9, relative: 1e-9)
    // Orthogonal parts: their energies add up.
    expectClose(
      found.energy.gradient + found.energy.curl + found.energy.harmonic, found.energy.total,
      absolute: 1e-9, relative: 1e-9)
  }

  @Test func anOrderIsAllGradientAndACircleAllCurl() {
    let ratings = [1.5, 0.2, -1, -3.0]
    let order = ratings.map { a in ratings.map { a - $0 } }
    let ones = [[Double]](repeating: [Double](repeating: 1, count: 4), count: 4)
    let transitive = HodgeDecomposition(flow: order, weights: ones).energy
    expectClose(transitive.gradientShare, 1, absolute: 1e-12)
    #expect(transitive.cyclicShare < 1e-20)
    let circle = HodgeDecomposition(
      flow: [[0, 1, -1], [-1, 0, 1], [1, -1, 0]],
      weights: [[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    expectClose(circle.energy.curlShare, 1, absolute: 1e-12)
    #expect(circle.ratings.allSatisfy { abs($0) < 1e-12 })
  }

  @Test func nothingAndPartsThatAreApart() {
    let empty = HodgeDecomposition(flow: [], weights: [])
    #expect(empty.energy.total == 0 && empty.energy.cyclicShare == 0)
    // Two pairs that nothing joins: ratings of mean 0 in each part.
    var flow = [[Double]](repeating: [Double](repeating: 0, count: 4), count: 4)
    var weights = flow
    (flow[0][1], weights[0][1], flow[2][3], weights[2][3]) = (2, 1, -4, 5)
    let found = HodgeDecomposition(flow: flow, weights: weights)
    expectClose(found.ratings, [1, -1, -2, 2], absolute: 1e-12)
    #expect(found.energy.cyclicShare < 1e-20)
  }

  /// Rosenbrock's valley, which turns, and a long quadratic bowl.
  @Test func limitedMemoryBFGSFindsTheFloor() {
    let valley = limitedMemoryBFGS(from: [-1.2, 1], tolerance: 1e-10) { x in
      let (a, b) = (1 - x[0], x[1] - x[0] * x[0])
      return (a * a + 100 * b * b, [-2 * a - 400 * x[0] * b, 200 * b])
    }
    expectClose(valley.point, [1, 1], absolute: 1e-6)
    let bowl = limitedMemoryBFGS(from: [Double](repeating: 1, count: 30)) { x in
      let scales = x.indices.map { Double($0 * $0 + 1) }
      return (
        zip(scales, x).reduce(0) { $0 + 0.5 * $1.0 * $1.1 * $1.1 }, zip(scales, x).map { $0 * $1 }
      )
    }
    #expect(bowl.point.allSatisfy { abs($0) < 1e-6 })
  }

  /// The ceiling from all orders written out.
  @Test(arguments: [3, 4, 5, 6]) func ceilingIsThatOfTheBestOrder(count: Int) {
    for draw in 0..<20 {
      var stream = RandomStream(seed: 3, purpose: "ceiling", step: count, row: draw)
      let wins = (0..<count).map { i in
        (0..<count).map { $0 == i ? 0 : Double(stream.uniform(below: 5)) }
      }
      let total = wins.joined().reduce(0, +)
      let best =
        permutations(Array(0..<count)).map { order in
          order.indices.reduce(0.0) { sum, place in
            sum + order[(place + 1)...].reduce(0.0) { $0 + wins[order[place]][$1] }
          }
        }.max() ?? 0
      expectClose(scalarCeiling(wins: wins), total > 0 ? best / total : 1, absolute: 1e-12)
    }
  }

  @Test func ceilingsOfKnownCircles() {
    func circle(_ count: Int, reach: Int) -> [[Double]] {
      (0..<count).map { i in
        (0..<count).map { (1...reach).contains(($0 - i + count) % count) ? 1 : 0 }
      }
    }
    expectClose(scalarCeiling(wins: circle(3, reach: 1)), 2 / 3, absolute: 1e-12)
    expectClose(scalarCeiling(wins: circle(4, reach: 1)), 3 / 4, absolute: 1e-12)
    expectClose(scalarCeiling(wins: circle(5, reach: 1)), 4 / 5, absolute: 1e-12)
    // Everybody beats the next two of five: three of ten verdicts go against any order.
    expectClose(scalarCeiling(wins: circle(5, reach: 2)), 7 / 10, absolute: 1e-12)
    #expect(scalarCeiling(wins: []) == 1)
  }

  private func permutations(_ items: [Int]) -> [[Int]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index in
      var rest = items
      let first = rest.remove(at: index)
      return permutations(rest).map { [first] + $0 }
    }
  }
}
