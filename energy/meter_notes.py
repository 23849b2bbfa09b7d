"""What energy/meters/registers.yaml says of each family of meters, named here so that our catalogues have it.

The reader of meters knows no languages. A test compares this with the file.
"""

from django.utils.translation import gettext_noop

NOTES = (
    gettext_noop(
        "three-phase direct, 80 A (x380/1/2D) or 125 A (x310/1/2D), MID; ECR = screw terminals, ECA = Agardio "
        "RJ45, same Modbus map"
    ),
    gettext_noop(
        "Addresses from three sources; the text that detection compares was not seen: let the installer confirm. "
        "Factory parity: one source."
    ),
    gettext_noop("three-phase, for current transformers /1 A or /5 A, MID; same map as ECR380D"),
    gettext_noop(
        "Currents, powers and energies are primary values. The power scale is taken over from the direct types: "
        "check it against the display where the transformer is large."
    ),
    gettext_noop("single-phase direct, 40 A (140) / 80 A (180, 181)"),
    gettext_noop("Hager's home energy controller as a grid meter over Modbus TCP"),
    gettext_noop("Whole amperes only. Its Modbus TCP server has to be switched on."),
    gettext_noop("ECM = M-Bus, ECP = S0 pulses, ECN140D = no interface"),
    gettext_noop("three-phase, direct (SDM630; 80 or 100 A depending on the type) or CT (SDM630MCT)"),
    gettext_noop("Some deliveries are said to have even parity."),
    gettext_noop("Some firmware reports ten times the frequency."),
    gettext_noop("Word order can be reversed by a setting in the meter."),
    gettext_noop("three-phase direct"),
    gettext_noop("Some units restart when requests follow each other without a pause."),
    gettext_noop("three-phase, total power only"),
    gettext_noop("single-phase direct"),
    gettext_noop("SDM120 and SDM220 may be delivered with 2400 baud."),
    gettext_noop("Stays silent on a faulty request."),
    gettext_noop(
        "three-phase; EM340/EM341 direct up to 65 A (document); EM330/ET330/EM530/EM210 by CT, EM540 direct "
        "(general knowledge)"
    ),
    gettext_noop("List of detection codes: one source."),
    gettext_noop("In the measurement mode easy connection all currents are positive, whatever the direction."),
    gettext_noop("three-phase, AV9 64 A direct / AV5 by CT 5 A"),
    gettext_noop("e_imp: one source reads 0x42. Currents and powers agree everywhere."),
    gettext_noop("An overflow shows 0x7FFF in the high word."),
    gettext_noop("EM24 with Ethernet (Modbus TCP); energy and frequency addresses differ from the RS485 EM24"),
    gettext_noop("Firmware 1.8.3 or later is advised. Some set application register 0xA000 to 7 first."),
    gettext_noop("three-phase; 3150/3155 63 A direct, 3250/3255 by CT /1 A or /5 A, 3350/3355 125 A direct"),
    gettext_noop("Factory serial parameters not found; 9600 8N1 is proposed by one source."),
    gettext_noop("The xx50 types report fewer values. Values that do not exist read as NaN."),
    gettext_noop("PowerLogic panel meters, always by CT"),
    gettext_noop(
        "Serial parameters: one source. Unit on Ethernet is 1 or 255. Detection compares a name that can be changed."
    ),
    gettext_noop("One source says low word first on a PM5320: check that the voltages are plausible."),
    gettext_noop("the block of frequent readings shared by the Janitza families"),
    gettext_noop("One source reads with function code 4. Serial parameters hold for the UMG 96RM-E."),
    gettext_noop("The same values stand low word first at address + 32768."),
    gettext_noop("older address list of the UMG 604"),
    gettext_noop("SENTRON PAC; same base block in the whole family"),
    gettext_noop("Two sources read with function code 3, two with 4."),
    gettext_noop("Frequency: 46 or 55, left out."),
    gettext_noop("The energy counter can be reset on PAC3xxx and PAC4xxx."),
    gettext_noop("DIN-rail meters; other scaling than SENTRON PAC"),
    gettext_noop("One source reads with function code 4, one with 3."),
    gettext_noop("Never read over gaps: such requests fail."),
    gettext_noop("same block layout and scales as the Siemens 7KT above"),
    gettext_noop("Function code 4 in both sources; energies stand elsewhere and are left out."),
    gettext_noop("EQ meters; B23 65 A direct, B24 by CT"),
    gettext_noop("Factory serial parameters not stated by the maker; 9600 8N1 is proposed by one source."),
    gettext_noop(
        "Steel types (1xx) have import registers only. A pause helps when another meter on the line was read before."
    ),
    gettext_noop("three-phase Countis E and Diris A (OpenEMS detects the type by name)"),
    gettext_noop("Diris A10 has its energies elsewhere; Diris B30, Countis E33 and E43 have other maps."),
    gettext_noop("EMpro, by CT or Rogowski"),
    gettext_noop("EEM-MA370 by a release note only. Energies left out: direction unclear."),
    gettext_noop("Other EMpro types have no Modbus."),
    gettext_noop("three-phase MID meters, direct 65 A or CT"),
    gettext_noop("Serial parameters are those of the maker's family."),
    gettext_noop("three-phase MID, direct 100 A or CT"),
    gettext_noop("three-phase, widely sold with inverters"),
    gettext_noop("Some firmware is said to report secondary values: compare with the display."),
    gettext_noop("clamp meter with Ethernet/WLAN; Modbus TCP has to be enabled; 'triphase' profile"),
    gettext_noop(
        "Modbus TCP has to be switched on, the profile has to be triphase. Reads an error above 120 A (400 A)."
    ),
    gettext_noop(
        "meter model in a SunSpec map (SolarEdge, Fronius, Kostal, SMA and others); unit: Kostal 71, Fronius 240,"
        " SolarEdge 1"
    ),
    gettext_noop(
        "Models 201, 203, 204 (integers with a scale factor), 211, 213, 214 (floats), found by walking the model "
        "chain. Makers disagree about the sign of power."
    ),
    gettext_noop("grid meter seen through the GX Modbus TCP gateway; unit id = VRM instance of the grid meter"),
    gettext_noop("The unit is the VRM instance of the grid meter. Power ends at 32767 W per line."),
    gettext_noop("total power only"),
    gettext_noop("SMA Speedwire: UDP multicast 239.12.255.254:9522"),
    gettext_noop("P1 telegrams, serial 115200 8N1"),
    gettext_noop("TIC, one-way serial 7E1"),
)
REFUSALS = (  # why a meter cannot protect a fuse
    gettext_noop(
        "This meter has no Modbus (ECM: M-Bus, ECP: pulses, ECN: no interface): it cannot protect a fuse. "
        "Install a type with Modbus (ECR)."
    ),
    gettext_noop(
        "This meter reports no current per line, only total power: it cannot protect a fuse. "
        "Replace it by an SDM72D-M v2 or SDM630."
    ),
    gettext_noop(
        "This meter reports no current over Modbus, only total power: it cannot protect a fuse. "
        "Install one that reports each line."
    ),
    gettext_noop(
        "This meter sends UDP multicast (Speedwire), not Modbus, and is not read: it cannot protect a fuse here. "
        "Use a Modbus meter."
    ),
    gettext_noop(
        "This port sends telegrams, not Modbus, and is not read: it cannot protect a fuse here. Use a Modbus meter."
    ),
    gettext_noop(
        "This meter sends TIC frames, not Modbus, in whole amperes, and is not read: it cannot protect a fuse here. "
        "Use a Modbus meter."
    ),
)
