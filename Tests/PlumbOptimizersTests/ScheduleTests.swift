import Foundation
import PlumbOptimizers
import PlumbTestSupport
import Testing

struct ScheduleTests {
  @Test func constantIsThePeak() {
    #expect([0, 1, 1_000_000].map { Schedule.constant.factor(at: $0) } == [1, 1, 1])
    let warm = Schedule.constantWithWarmup(warmupSteps: 4)
    #expect((0...6).map { warm.factor(at: $0) } == [0, 0.25, 0.5, 0.75, 1, 1, 1])
    #expect(Schedule.constantWithWarmup(warmupSteps: 0).factor(at: 0) == 1)
  }

  @Test func linearReachesItsEnd() {
    let schedule = Schedule.linear(warmupSteps: 2, totalSteps: 6)
    #expect((0...8).map { schedule.factor(at: $0) } == [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0, 0])
    let floor = Schedule.linear(warmupSteps: 0, totalSteps: 4, minimum: 0.2)
    expectClose((0...5).map { floor.factor(at: $0) }, [1, 0.8, 0.6, 0.4, 0.2, 0.2])
    expectClose(schedule.learningRate(at: 3, peak: 2e-4), 1.5e-4, absolute: 1e-12)
  }

  @Test func cosineIsHalfWayInTheMiddle() {
    let schedule = Schedule.cosine(warmupSteps: 2, totalSteps: 10)
    expectClose(
      [0, 1, 2, 4, 6, 8, 10, 12].map { schedule.factor(at: $0) },
      [0, 0.5, 1, (2 + 2.0.squareRoot()) / 4, 0.5, (2 - 2.0.squareRoot()) / 4, 0, 0],
      absolute: 1e-12)
    let floor = Schedule.cosine(warmupSteps: 0, totalSteps: 10, minimum: 0.1)
    expectClose([0, 5, 10, 11].map { floor.factor(at: $0) }, [1, 0.55, 0.1, 0.1])
  }

  @Test func warmupLongerThanTheRun() {
    for schedule in [
      Schedule.linear(warmupSteps: 5, totalSteps: 3), .cosine(warmupSteps: 5, totalSteps: 3),
    ] {
      #expect(schedule.factor(at: 4) == 0.8)
      #expect((0...1).contains(schedule.factor(at: 6)))
    }
  }

  @Test func schedulesSurviveCoding() throws {
    for schedule in [
      Schedule.constant, .constantWithWarmup(warmupSteps: 3),
      .linear(warmupSteps: 1, totalSteps: 9), .cosine(warmupSteps: 1, totalSteps: 9, minimum: 0.1),
    ] {
      let data = try JSONEncoder().encode(schedule)
      #expect(try JSONDecoder().decode(Schedule.self, from: data) == schedule)
    }
  }

  @Test func negativeStepTraps() async {
    await #expect(processExitsWith: .failure) { _ = Schedule.constant.factor(at: -1) }
  }
}
