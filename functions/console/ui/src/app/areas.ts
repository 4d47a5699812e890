/** The areas in the order of the menu. */

import { collection } from "../pages/collection";
import { inference } from "../pages/inference";
import { management } from "../pages/management";
import { models } from "../pages/models";
import { overview } from "../pages/overview";
import { training } from "../pages/training";
import type { Area } from "./area";

export const AREAS: readonly Area[] = [overview, collection, training, models, inference, management];
