"""Rows that tests of the overview and of the manager's state share."""

from datetime import UTC, datetime

from energy.models import Reading
from stations.models import Connector, Station, StationState

NOW = datetime(2026, 3, 2, 11, 4, tzinfo=UTC)


def add_connector(identity="CP1", *, status="Available", rotation="L1L2L3", drawn=(None, None, None), socket_id="open"):
    station = Station.objects.create(
        identity=identity,
        name=f"Place {identity}",
        state=StationState.CONFIGURED,
        phase_rotation=rotation,
        socket_id=socket_id,
    )
    return Connector.objects.create(
        station=station,
        number=1,
        status=status,
        energy_wh=12_500,
        current_l1_a=drawn[0],
        current_l2_a=drawn[1],
        current_l3_a=drawn[2],
    )


def add_reading(at=NOW, *, grid=(48.0, 40.0, 30.0), charging=(28.0, 20.0, 10.0), state="operational"):
    grid = grid or (None, None, None)
    return Reading.objects.create(
        at=at,
        grid_l1_a=grid[0],
        grid_l2_a=grid[1],
        grid_l3_a=grid[2],
        charging_l1_a=charging[0],
        charging_l2_a=charging[1],
        charging_l3_a=charging[2],
        limit_l1_a=30.4,
        limit_l2_a=30.4,
        limit_l3_a=30.4,
        state=state,
    )
