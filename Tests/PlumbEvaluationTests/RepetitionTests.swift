import PlumbEvaluation
import Testing

/// By hand: short texts whose n-grams can be counted.
@Suite struct RepetitionTests {
  @Test func distinctBigramsAreCountedOverAllTexts() {
    // ab bc cd | ab bc: five bigrams, three of them distinct.
    #expect(Repetition.distinctShare([[1, 2, 3, 4], [1, 2, 3]], n: 2) == 3.0 / 5)
    #expect(Repetition.distinctShare([[1, 2, 3, 4]], n: 2) == 1)
    #expect(Repetition.distinctShare([[7, 7, 7, 7, 7]], n: 2) == 0.25)
    // No bigram spans two texts: 1 2 and 3 4 only.
    #expect(Repetition.distinctShare([[1, 2], [3, 4], [1, 2]], n: 2) == 2.0 / 3)
    #expect(Repetition.distinctShare([[1, 2, 1, 2]], n: 1) == 0.5)
  }

  @Test func textsThatAreTooShortSayNothing() {
    #expect(Repetition.distinctShare([[1], []], n: 2) == nil)
    #expect(Repetition.distinctShare([], n: 1) == nil)
  }

  @Test(
    arguments: [
      ([1, 2, 3, 4, 5], 0, 0), ([1, 1], 2, 1), ([5, 1, 1, 1, 9], 3, 1), ([1, 2, 1, 2, 1], 5, 2),
      // Said once and a half is no run.
      ([1, 2, 3, 1, 2], 0, 0), ([9, 1, 2, 3, 1, 2, 3, 1, 8], 7, 3), ([], 0, 0), ([4], 0, 0),
      // Of the run of 4 and that of 6, the longer one.
      ([1, 1, 1, 1, 2, 3, 2, 3, 2, 3], 6, 2),
    ] as [([Int32], Int, Int)])
  func theLongestRun(tokens: [Int32], length: Int, period: Int) {
    let run = Repetition.longestRun(tokens)
    #expect(run.length == length && run.period == period)
  }

  @Test func longerPeriodsThanAskedForAreNotFound() {
    let phrase: [Int32] = Array(0..<9)
    #expect(Repetition.longestRun(phrase + phrase).length == 0)
    #expect(Repetition.longestRun(phrase + phrase, maximumPeriod: 9).length == 18)
  }

  @Test func aLoopIsHalfOfTheTextSaidThreeTimes() {
    let loop: [Int32] = [1, 2, 3, 1, 2, 3, 1, 2, 3]
    #expect(Repetition.isLooping(loop))
    #expect(Repetition.isLooping(loop + Array(10..<19)))
    #expect(!Repetition.isLooping(loop + Array(10..<20)), "less than half")
    #expect(!Repetition.isLooping([1, 2, 3, 4, 1, 2, 3, 4]), "said twice only")
    #expect(!Repetition.isLooping([1, 1, 1, 1, 1, 1, 1]), "seven tokens only")
    #expect(Repetition.isLooping([1, 1, 1, 1, 1, 1, 1, 1]))
  }
}
