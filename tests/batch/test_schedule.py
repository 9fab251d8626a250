from mien.batch.schedule import PICTURES_A_TASK, Schedule, Task
from mien.batch.sources import BatchSource


def source(name, kind="picture", size_bytes=10):
    return BatchSource(name, kind, f"/{name}", size_bytes)


def all_of(schedule):
    tasks = []
    while task := schedule.take():
        tasks.append(task)
    return tasks


def test_the_largest_videos_go_first_and_pictures_in_packets():
    pictures = [source(f"{n}.png") for n in range(1000)]
    videos = [source("a.mp4", "video", 10**6), source("b.mp4", "video", 10**7)]
    tasks = all_of(Schedule([*pictures, *videos], workers=2))
    assert [task.sources[0].name for task in tasks[:2]] == ["b.mp4", "a.mp4"]
    assert [len(task.sources) for task in tasks[2:]] == [PICTURES_A_TASK] * 20
    assert [each for task in tasks[2:] for each in task.sources] == pictures


def test_few_pictures_are_shared_among_all_workers():
    tasks = all_of(Schedule([source(f"{n}.png") for n in range(8)], workers=2))
    assert [len(task.sources) for task in tasks] == [1] * 8


def test_what_kills_a_worker_twice_is_set_aside_and_its_neighbours_are_not():
    pictures = [source(f"{n}.png") for n in range(100)]
    schedule = Schedule(pictures, workers=1)
    deadly, done, set_aside = pictures[30], [], []
    deaths = 0
    while task := schedule.take():
        if deadly in task.sources:
            deaths += 1
            set_aside += filter(None, [schedule.blame(task)])
        else:
            done += task.sources
    assert set_aside == [deadly]
    assert sorted(each.name for each in done) == sorted(p.name for p in pictures if p != deadly)
    assert deaths == 3  # with its neighbours, then twice alone


def test_a_task_whose_machine_went_away_is_not_blamed():
    schedule = Schedule([source("a.mp4", "video")], workers=1)
    for _ in range(5):
        task = schedule.take()
        schedule.put_back(task)
    assert schedule.take() == Task((source("a.mp4", "video"),))
