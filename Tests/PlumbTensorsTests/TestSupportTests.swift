import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

/// The helpers of the other tests must notice what they are there to notice.
@Suite struct TestSupportTests {
  @Test func closenessNamesTheFirstAndTheWorstMismatch() {
    let closeness = Closeness([1, 2.5, 3, 8], [1, 2, 3, 4] as [Float], absolute: 0.1, relative: 0)
    #expect(!closeness.isClose)
    #expect(
      closeness.description
        == "2 of 4 values differ, first at index 1: expected 2.0, found 2.5; "
        + "largest difference 4.0 at index 3; allowed 0.1 + 0.0 * |expected|")
  }

  @Test func closenessSeesLengthsAndNonFiniteValues() {
    #expect(!isClose([1, 2], [1] as [Float]))
    #expect(!isClose([.nan], [1] as [Float]))
    #expect(!isClose([1], [.nan] as [Float]))
    #expect(!isClose([.infinity], [1] as [Float]))
    #expect(!isClose([1], [.infinity] as [Float]))
    #expect(isClose([.nan, .infinity], [.nan, .infinity] as [Float]))
    #expect(isClose(1.05, 1.0, absolute: 0, relative: 0.1))
    #expect(!isClose(1.05, 1.0, absolute: 0.01, relative: 0.01))
  }

  @Test func expectCloseRecordsAnIssue() {
    withKnownIssue { expectClose([1], [2] as [Float]) }
    withKnownIssue { expectClose(Tensor([1, 2]), Tensor([1, 2], shape: [2, 1])) }
  }

  @Test func checkGradientsSeesAWrongGradient() {
    let x = Tensor([0.5, 2])
    checkGradients(of: [x]) { $0[0] * $0[0] }
    // Half of the gradient of x * x.
    withKnownIssue { checkGradients(of: [x]) { $0[0] * $0[0].detached } }
    // None at all.
    withKnownIssue { checkGradients(of: [x]) { $0[0].detached * 2 } }
  }

  @Test func withEveryNamesItsVariables() {
    struct Failure: Error {}
    withKnownIssue {
      withEvery("rows", in: [1, 2]) { rows in
        withEvery("columns", in: [3]) { _ in if rows == 2 { throw Failure() } }
      }
    } matching: { issue in
      issue.comments.contains { $0.rawValue.hasPrefix("rows = 2: columns = 3: threw Failure") }
    }
  }

  @Test func fixturesAreFound() throws {
    let url = Fixtures.url("golden/qwen2").appending(path: "config.json")
    #expect(try Data(contentsOf: url).isEmpty == false)
  }

  @Test func misspeltFixturesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Fixtures.url("golden/qwen5") }
  }
}
